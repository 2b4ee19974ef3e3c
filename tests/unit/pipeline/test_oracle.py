"""Random workloads against an oracle: each distinct input is paid for once, and every answer is the oracle's own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import orjson
import pybase64
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import embeddings, rerank
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.schema import Tier

EXACT = 2e-7
"""Vectors are float32 of unit length: half a unit in the last place, twice (their rounding and ours)."""

TEXTS = ["a", "b", "c d", "e f g", "h"]
MODELS = ["jina-embeddings-v3", "jina-embeddings-v4", "jina-embeddings-v5-text-small", "jina-clip-v2"]
PAIRWISE, LISTWISE = "jina-reranker-v2-base-multilingual", "jina-reranker-v3"

calls = st.fixed_dictionaries(
    {"model": st.sampled_from(MODELS), "input": st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5)},
    optional={
        "task": st.just("retrieval.query"),
        "dimensions": st.sampled_from([2, 32, 64, 512, 1024]),
        "embedding_type": st.sampled_from(["float", "base64", "binary", "ubinary", ["float", "ubinary"]]),
    },
)
rankings = st.fixed_dictionaries(
    {
        "model": st.sampled_from([PAIRWISE, LISTWISE]),
        "query": st.sampled_from(["a b", "c"]),
        "documents": st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5),
    },
    optional={"top_n": st.integers(1, 6), "return_documents": st.booleans()},
)
asked = st.tuples(st.booleans(), st.one_of(calls, rankings))
workloads = st.lists(st.lists(asked, min_size=1, max_size=4), min_size=1, max_size=6)


def unlimited() -> Gateway:
    """Waves must not be refused."""
    return Gateway(configured(tiers={"small": Tier(rpm=10**9, tpm=10**9, concurrency=10**6)}))


def defaults(call: dict[str, Any]) -> dict[str, Any]:
    """What an absent task means to the models that have a default."""
    default = {"jina-embeddings-v4": "text-matching", "jina-embeddings-v5-text-small": "text-matching"}
    task = call.get("task") or default.get(call["model"])
    return call | ({"task": task} if task else {})


def distinct(call: dict[str, Any]) -> set[str]:
    """What must be paid for to answer a call."""
    if call["model"] == LISTWISE:
        return {json.dumps([call["query"], call["documents"]])}
    if "query" in call:
        return {json.dumps([call["query"], document]) for document in call["documents"]}
    full = defaults(call)
    return {json.dumps([call["model"], full.get("task"), text]) for text in call["input"]}


def values(shown: Any) -> np.ndarray[Any, Any]:
    if isinstance(shown, str):
        return np.frombuffer(pybase64.b64decode(shown), "<f4")
    return np.asarray(shown, dtype=np.float64)


def check_embeddings(call: dict[str, Any], body: bytes) -> None:
    answer, truth = orjson.loads(body), embeddings(defaults(call))
    assert answer["usage"] == truth["usage"]
    assert len(answer["data"]) == len(truth["data"])
    for ours, theirs in zip(answer["data"], truth["data"], strict=True):
        assert ours["index"] == theirs["index"]
        one, other = ours["embedding"], theirs["embedding"]
        pairs = [(one[kind], other[kind]) for kind in other] if isinstance(other, dict) else [(one, other)]
        for left, right in pairs:
            np.testing.assert_allclose(values(left), values(right), atol=EXACT, rtol=0)


def check_ranking(call: dict[str, Any], body: bytes) -> None:
    answer, truth = orjson.loads(body), rerank({**call, "max_doc_length": 2048})
    expected = sorted(truth["results"], key=lambda entry: (-entry["relevance_score"], entry["index"]))
    expected = expected[: call.get("top_n")]
    got = [(entry["index"], entry["relevance_score"]) for entry in answer["results"]]
    assert got == [(entry["index"], entry["relevance_score"]) for entry in expected]
    for entry in answer["results"]:
        shown = call.get("return_documents", True)
        assert entry.get("document") == (call["documents"][entry["index"]] if shown else None)


async def run(workload: list[list[tuple[bool, dict[str, Any]]]]) -> None:
    gateway, wanted = unlimited(), set[str]()
    for wave in workload:
        endpoints = ["rerank" if "query" in call else "embeddings" for _, call in wave]
        replies = await asyncio.gather(
            *(
                gateway.ask(endpoint, orjson.dumps(call), OTHER_KEY if other else SEARCH_KEY)
                for endpoint, (other, call) in zip(endpoints, wave, strict=True)
            )
        )
        for (_, call), (reply, _) in zip(wave, replies, strict=True):
            (check_ranking if "query" in call else check_embeddings)(call, reply.body)
            wanted |= distinct(call)
    paid = [identity for call in gateway.upstream.calls for identity in paid_identities(call)]
    assert sorted(paid) == sorted(wanted)


def paid_identities(call: dict[str, Any]) -> list[str]:
    """The units of one upstream call, in the words of `distinct`."""
    if call["model"] == LISTWISE:
        return [json.dumps([call["query"], call["documents"]])]
    if "query" in call:
        return [json.dumps([call["query"], document]) for document in call["documents"]]
    return [json.dumps([call["model"], call.get("task"), text]) for text in call["input"]]


@settings(max_examples=150, deadline=None)
@given(workloads)
def test_billed_over_distinct_is_one(workload: list[list[tuple[bool, dict[str, Any]]]]) -> None:
    asyncio.run(run(workload))


@pytest.mark.parametrize("together", [1, 50])
async def test_equal_calls_at_once_are_one_upstream_call(together: int) -> None:
    gateway = unlimited()
    body = orjson.dumps({"model": MODELS[0], "input": ["a", "b"]})
    replies = await asyncio.gather(*(gateway.ask("embeddings", body) for _ in range(together)))
    assert len(gateway.upstream.calls) == 1
    assert len({reply.body for reply, _ in replies}) == 1
    assert gateway.used("search").tokens == 2
