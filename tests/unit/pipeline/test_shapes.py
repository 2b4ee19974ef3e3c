"""Multi-vectors, sparse vectors and media on every way an answer can take: fresh, stored, copied, shared, gathered."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from fakes.answers import FakeAnswers
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import embeddings
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.backends import Backend
from gateway.config.schema import Tier
from gateway.endpoints import ENDPOINTS, embeddings_reply
from gateway.stores.redis.entry import decode, encode
from gateway.vocabulary import Answer, Directives, Facts, ItemKey

V4, COLBERT, ELSER = "jina-embeddings-v4", "jina-colbert-v2", "elser-v2"
TYPES = ["float", "base64", "binary", "ubinary", ["base64"], ["float", "binary", "ubinary", "base64"]]
ASSUMED: dict[str, dict[str, Any]] = {V4: {"task": "text-matching"}, COLBERT: {"input_type": "document"}, ELSER: {}}
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "dense": (V4, {}),
    "multi": (V4, {"return_multivector": True}),
    "multi with tokens": (V4, {"return_multivector": True, "return_tokenized_input": True}),
    "colbert": (COLBERT, {}),
    "colbert of 64": (COLBERT, {"dimensions": 64}),
    "colbert query": (COLBERT, {"input_type": "query"}),
    "sparse": (ELSER, {}),
}

lists = st.lists(st.sampled_from(["a", "b c", "d e f", "index embedding", "g"]), min_size=1, max_size=5)
calls = st.tuples(st.sampled_from(sorted(FORMS)), st.sampled_from(TYPES), lists, st.booleans())
workloads = st.lists(st.lists(calls, min_size=1, max_size=4), min_size=1, max_size=5)


def unlimited(**changes: Any) -> Gateway:
    jina = Backend(dialect="jina", url="http://upstream", key="jina_" + "u" * 60, **changes)
    return Gateway(configured(tiers={"small": Tier(rpm=10**9, tpm=10**9, concurrency=10**6)}, backends={"jina": jina}))


def body_of(form: str, kind: Any, texts: list[str]) -> dict[str, Any]:
    model, fields = FORMS[form]
    return {"model": model, "input": texts, "embedding_type": kind, **fields}


class Stored(FakeAnswers):
    """Nothing is kept but what a store would keep: bytes."""

    def _find(self, key: ItemKey) -> Answer | None:
        found = super()._find(key)
        return decode(key.proof, encode(key.proof, found)) if found is not None else None


def single(value: Any) -> Any:
    """With every number as the float32 that it was made from."""
    if isinstance(value, dict):
        return {name: single(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [single(entry) for entry in value]
    return np.float32(value) if isinstance(value, float) else value


def truth(body: dict[str, Any]) -> dict[str, Any]:
    """The upstream's own answer; a multi-vector's several encodings are each a list of tokens."""
    kinds = body["embedding_type"]
    full = ASSUMED[body["model"]] | body
    if not isinstance(kinds, list) or body["model"] == ELSER:
        return embeddings(full)
    answers = {kind: embeddings(full | {"embedding_type": kind}) for kind in kinds}
    answer = answers[kinds[0]]
    for at, entry in enumerate(answer["data"]):
        for name in entry.keys() & {"embedding", "embeddings"}:
            entry[name] = {kind: answers[kind]["data"][at][name] for kind in kinds}
    return answer


def paid(gateway: Gateway) -> list[str]:
    """Form and text of everything that the upstream was asked."""
    found = []
    for call in gateway.upstream.calls:
        names = ("return_multivector", "return_tokenized_input", "dimensions", "input_type")
        fields = {name: call[name] for name in names if name in call}
        full = {form: {**ASSUMED[model], **more} for form, (model, more) in FORMS.items() if model == call["model"]}
        (form,) = [form for form, more in full.items() if {n: v for n, v in more.items() if n in names} == fields]
        found += [json.dumps([form, text]) for text in call["input"]]
    return found


async def run(workload: list[list[tuple[str, Any, list[str], bool]]], **backend: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fakes.gateway.FakeAnswers", Stored)
        gateway, wanted = unlimited(**backend), set[str]()
    for wave in workload:
        bodies = [body_of(form, kind, texts) for form, kind, texts, _ in wave]
        keys = [OTHER_KEY if other else SEARCH_KEY for *_, other in wave]
        asking = [gateway.ask("embeddings", orjson.dumps(body), key) for body, key in zip(bodies, keys, strict=True)]
        for body, (reply, _) in zip(bodies, await asyncio.gather(*asking), strict=True):
            ours, theirs = orjson.loads(reply.body or b"".join(reply.pieces or ())), truth(body)
            assert single(ours["data"]) == single(theirs["data"])
        wanted |= {json.dumps([form, text]) for form, _, texts, _ in wave for text in texts}
    assert sorted(paid(gateway)) == sorted(wanted)


@settings(max_examples=20, deadline=None)
@given(workloads)
def test_every_answer_is_the_upstreams_own_and_paid_once(workload: Any) -> None:
    asyncio.run(run(workload))


@settings(max_examples=8, deadline=None)
@given(workloads)
def test_also_when_lists_are_cut_and_small_calls_travel_together(workload: Any) -> None:
    asyncio.run(run(workload, max_inputs=2, batch=False))


@pytest.mark.parametrize("form", sorted(FORMS))
async def test_the_same_in_pieces(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = unlimited()
    for kind in TYPES:
        body = orjson.dumps(body_of(form, kind, ["a", "b c", "a"]))
        at_once, _ = await gateway.ask("embeddings", body)
        with monkeypatch.context() as patch:
            patch.setattr(embeddings_reply, "LARGE_BYTES", 0)
            streamed, _ = await gateway.ask("embeddings", body)
        assert streamed.pieces is not None
        assert orjson.loads(b"".join(streamed.pieces)) == orjson.loads(at_once.body)


@pytest.mark.parametrize("form", sorted(FORMS))
async def test_without_what_is_refused(form: str) -> None:
    gateway = unlimited()
    gateway.upstream.bad |= {"bad"}
    body = body_of(form, "float", ["a", "bad", "b c", "a"])
    call = replace(gateway.call(orjson.dumps(body), SEARCH_KEY, "192.0.2.1", Directives()), partial=True)
    endpoint = next(entry for entry in ENDPOINTS if entry.name == "embeddings")
    reply = orjson.loads((await gateway.pipeline.serve(endpoint, call, Facts("embeddings", "r"))).body)
    assert [error["index"] for error in reply["errors"]] == [1]
    expected = truth(body | {"input": ["a", "b c", "a"]})["data"]
    for entry, place in zip(expected, (0, 2, 3), strict=True):
        if form != "sparse":
            entry["index"] = place
    assert single(reply["data"]) == single(expected)


PICTURE = b"\x89PNG not quite a picture \xff\xfe"
CODED = b64encode(PICTURE).decode()
SPELLED = [
    {"image": CODED},
    {"image": CODED.rstrip("=")},
    {"image": f"data:image/png;base64,{CODED}"},
    {"image": f"data:image/jpeg;base64,{CODED[:20]}\r\n{CODED[20:]}"},
    {"bytes": CODED},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}"}},
]


@pytest.mark.parametrize("model", ["jina-clip-v1", "jina-clip-v2", V4, "jina-embeddings-v5-omni-nano"])
async def test_an_inline_image_is_paid_once_however_it_is_spelled(model: str) -> None:
    gateway = unlimited()
    first, _ = await gateway.ask("embeddings", orjson.dumps({"model": model, "input": SPELLED}))
    assert (first.misses, first.duplicates) == (1, len(SPELLED) - 1)
    for spelled in SPELLED:
        again, _ = await gateway.ask("embeddings", orjson.dumps({"model": model, "input": spelled}))
        assert (again.hits, again.misses) == (1, 0)
    assert gateway.upstream.inputs == [{"image": CODED}]


async def test_one_value_as_text_image_and_sound_is_three_things() -> None:
    gateway, model = unlimited(), "jina-embeddings-v5-omni-nano"
    inputs = [CODED, {"image": CODED}, {"audio": CODED}, {"video": CODED}, {"content": [{"image": CODED}]}]
    reply, _ = await gateway.ask("embeddings", orjson.dumps({"model": model, "input": inputs}))
    assert (reply.misses, reply.duplicates) == (5, 0)
    assert gateway.upstream.inputs == inputs
    pdf, _ = await gateway.ask("embeddings", orjson.dumps({"model": model, "input": {"pdf": CODED}}))
    assert pdf.misses == 1


async def test_a_rerankers_images_are_relayed_stored_and_echoed() -> None:
    gateway = unlimited()
    documents = ["a", {"text": "a b"}, {"image": "https://a.example/x.png"}, SPELLED[2], {"bytes": CODED, "id": 7}]
    body = {"model": "jina-reranker-m0", "query": "a", "documents": documents}
    reply, _ = await gateway.ask("rerank", orjson.dumps(body))
    results = {entry["index"]: entry["document"] for entry in orjson.loads(reply.body)["results"]}
    assert [results[at] for at in range(5)] == documents
    assert gateway.upstream.inputs == ["a", "a b", {"image": "https://a.example/x.png"}, {"image": CODED}]
    inline, _ = await gateway.ask("rerank", orjson.dumps(body | {"documents": [{"image": CODED}]}))
    assert inline.misses == 1  # the list with a URL in it was not stored
    again, _ = await gateway.ask("rerank", orjson.dumps(body | {"documents": SPELLED}))
    assert (again.hits, again.misses) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        {"model": "jina-clip-v2", "input": [{"image": CODED}, "a"]},
        {"model": "jina-clip-v1", "input": [{"url": "https://a.example/x.png"}]},
    ],
)
async def test_a_classification_of_images_is_relayed(body: dict[str, Any]) -> None:
    gateway = unlimited()
    reply, _ = await gateway.ask("classify", orjson.dumps(body | {"labels": ["x", "y"]}))
    assert len(orjson.loads(reply.body)["data"]) == len(body["input"])
    (call,) = gateway.upstream.calls
    assert call["input"] == [
        {"image": "https://a.example/x.png"} if "url" in entry else entry for entry in body["input"]
    ]
