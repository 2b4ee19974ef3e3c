"""Lists of which the backend refuses some inputs: which ones is found out, and the others may be had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY, Gateway, configured
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.schema import Tier
from gateway.endpoints import ENDPOINTS
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Directives, Facts, Reply

V3 = "jina-embeddings-v3"
RANKER = "jina-reranker-v2-base-multilingual"


def gateway(*bad: str) -> Gateway:
    made = Gateway(configured(tiers={"small": Tier(rpm=1_000, tpm=1_000_000, concurrency=100)}))
    made.upstream.bad |= set(bad)
    return made


async def ask(made: Gateway, endpoint: str, body: dict[str, Any], *, partial: bool) -> tuple[Reply, dict[str, Any]]:
    call = replace(made.call(orjson.dumps(body), SEARCH_KEY, "192.0.2.1", Directives()), partial=partial)
    chosen = next(entry for entry in ENDPOINTS if entry.name == endpoint)
    reply = await made.pipeline.serve(chosen, call, Facts(endpoint, "request-1"))
    return reply, orjson.loads(reply.body)


def texts(*inputs: str, **more: Any) -> dict[str, Any]:
    return {"model": V3, "input": list(inputs), **more}


async def test_the_bad_inputs_of_a_list_are_named_and_only_they() -> None:
    made = gateway("bad 1", "bad 2")
    with pytest.raises(GatewayError) as raised:
        await ask(made, "embeddings", texts("a", "bad 1", "b", "c", "d", "bad 2", "e"), partial=False)
    error = raised.value
    assert error.code is Code.INPUT_INVALID
    assert [entry.field for entry in error.errors] == [f"body -> {V3} -> input -> {at}" for at in (1, 5)]
    assert "Input 1" in error.message
    assert made.used("search").tokens == 0  # a failed request costs its tenant nothing


async def test_what_was_good_is_kept_and_not_asked_again() -> None:
    made = gateway("bad")
    with pytest.raises(GatewayError):
        await ask(made, "embeddings", texts("a", "b", "bad", "c"), partial=False)
    calls = len(made.upstream.calls)
    _, reply = await ask(made, "embeddings", texts("a", "b", "c"), partial=False)
    assert len(reply["data"]) == 3
    assert len(made.upstream.calls) == calls


async def test_a_bad_input_is_refused_again_for_a_while_without_asking() -> None:
    made = gateway("bad")
    for wanted in (("bad", "a"), ("b", "bad")):
        with pytest.raises(GatewayError) as raised:
            await ask(made, "embeddings", texts(*wanted), partial=False)
        assert [entry.field for entry in raised.value.errors] == [f"body -> {V3} -> input -> {wanted.index('bad')}"]
    asked = [call["input"] for call in made.upstream.calls]
    assert asked.count(["bad"]) == 1
    await made.clock.advance(11)
    made.upstream.bad.clear()
    assert (await ask(made, "embeddings", texts("bad"), partial=False))[1]["data"]


async def test_the_good_ones_are_answered_where_the_client_takes_them() -> None:
    made = gateway("bad")
    whole = (await ask(gateway(), "embeddings", texts("a", "b", "c"), partial=True))[1]
    await ask(made, "embeddings", texts("c"), partial=True)
    reply, body = await ask(made, "embeddings", texts("a", "bad", "b", "bad", "c"), partial=True)
    assert [entry["index"] for entry in body["data"]] == [0, 2, 4]
    assert [entry["embedding"] for entry in body["data"]] == [entry["embedding"] for entry in whole["data"]]
    assert [(entry["index"], entry["code"]) for entry in body["errors"]] == [
        (1, "INPUT_INVALID"),
        (3, "INPUT_INVALID"),
    ]
    assert body["usage"] == whole["usage"]
    assert reply.refused == 2
    assert "errors" not in whole


async def test_documents_keep_their_places_in_a_partial_ranking() -> None:
    made = gateway("bad")
    asked = {"model": RANKER, "query": "q", "documents": ["x", "bad", "yy", "zzz"]}
    _, body = await ask(made, "rerank", asked, partial=True)
    assert sorted((entry["index"], entry["document"]) for entry in body["results"]) == [
        (0, "x"),
        (2, "yy"),
        (3, "zzz"),
    ]
    assert [entry["index"] for entry in body["errors"]] == [1]


async def test_where_all_are_bad_nothing_is_answered() -> None:
    made = gateway("bad 1", "bad 2")
    with pytest.raises(GatewayError) as raised:
        await ask(made, "embeddings", texts("bad 1", "bad 2"), partial=True)
    assert len(raised.value.errors) == 2


async def test_a_list_answered_as_one_is_never_cut() -> None:
    made = gateway("bad")
    with pytest.raises(GatewayError) as raised:
        await ask(made, "embeddings", texts("a", "bad", "b", late_chunking=True), partial=True)
    assert raised.value.code is Code.INPUT_INVALID
    assert len(made.upstream.calls) == 1


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.sets(st.integers(0, 12)))
@settings(max_examples=40, deadline=None)
async def test_exactly_the_bad_ones_are_missing(wanted: list[int], bad: set[int]) -> None:
    made = gateway(*[f"t{number}" for number in bad])
    asked = texts(*[f"t{number}" for number in wanted])
    if bad.issuperset(wanted):
        with pytest.raises(GatewayError):
            await ask(made, "embeddings", asked, partial=True)
        return
    _, body = await ask(made, "embeddings", asked, partial=True)
    assert [entry["index"] for entry in body["data"]] == [at for at, number in enumerate(wanted) if number not in bad]
    assert [entry["index"] for entry in body.get("errors", [])] == [
        at for at, number in enumerate(wanted) if number in bad
    ]
    answered = [
        each for call in made.upstream.calls for each in call["input"] if not made.upstream.bad & set(call["input"])
    ]
    assert sorted(answered) == sorted({f"t{number}" for number in wanted if number not in bad})
