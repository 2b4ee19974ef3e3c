from __future__ import annotations

import asyncio

import orjson
import pytest
from fakes.gateway import Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.backends import ModelEntry
from gateway.errors import Code, GatewayError
from gateway.vocabulary import CacheScope, Cause, Directives, Reply

MODEL = "jina-embeddings-v3"


async def ask(gateway: Gateway, *texts: str, directives: Directives = Directives()) -> Reply:  # noqa: B008 - immutable
    body = orjson.dumps({"model": MODEL, "input": list(texts)})
    return (await gateway.ask("embeddings", body, directives=directives))[0]


def asked(gateway: Gateway) -> list[list[str]]:
    return [call["input"] for call in gateway.upstream.calls]


async def test_no_cache_asks_anew_and_remembers() -> None:
    gateway = Gateway()
    await ask(gateway, "a")
    reply = await ask(gateway, "a", directives=Directives(no_cache=True))
    assert (reply.misses, reply.stored) == (1, True)
    assert asked(gateway) == [["a"], ["a"]]


async def test_no_store_neither_looks_nor_remembers() -> None:
    gateway = Gateway()
    reply = await ask(gateway, "a", directives=Directives(no_store=True))
    assert reply.bypassed
    assert not gateway.answers.entries
    await ask(gateway, "a")
    await ask(gateway, "a", directives=Directives(no_store=True))
    assert asked(gateway) == [["a"]] * 3


async def test_max_age_takes_only_what_is_young_enough() -> None:
    gateway = Gateway()
    await ask(gateway, "a")
    await gateway.clock.advance(30)
    young = await ask(gateway, "a", directives=Directives(max_age=30))
    old = await ask(gateway, "a", directives=Directives(max_age=29))
    assert (young.hits, old.misses) == (1, 1)


async def test_only_if_cached_answers_what_is_stored_and_names_what_is_not() -> None:
    gateway = Gateway()
    await ask(gateway, "a")
    assert (await ask(gateway, "a", "a", directives=Directives(only_if_cached=True))).hits == 1
    with pytest.raises(GatewayError, match="inputs 1, 3") as raised:
        await ask(gateway, "a", "b", "a", "b", directives=Directives(only_if_cached=True))
    assert raised.value.code is Code.SERVICE_TIMEOUT
    many = [f"t{number}" for number in range(30)]
    with pytest.raises(GatewayError, match="and 10 more"):
        await ask(gateway, *many, directives=Directives(only_if_cached=True))
    assert asked(gateway) == [["a"]]
    assert gateway.used("search").tokens == 1


async def test_a_salt_is_a_cache_of_its_own() -> None:
    gateway = Gateway()
    for salt in ("", "x", "y", "x"):
        await ask(gateway, "a", directives=Directives(salt=salt))
    assert asked(gateway) == [["a"]] * 3


async def test_a_model_may_narrow_the_scope() -> None:
    gateway = Gateway(configured(models={MODEL: ModelEntry(cache_scope=CacheScope.OFF)}))
    assert (await ask(gateway, "a")).bypassed
    assert not gateway.answers.entries


async def test_a_model_may_be_asked_as_the_client_asks() -> None:
    gateway = Gateway(configured(models={MODEL: ModelEntry(ask_in_full=False)}))
    body = orjson.dumps({"model": MODEL, "input": ["a"], "dimensions": 64})
    reply, _ = await gateway.ask("embeddings", body)
    assert gateway.upstream.calls[0]["dimensions"] == 64
    assert len(orjson.loads(reply.body)["data"][0]["embedding"]) == 64


async def test_savings_are_told_by_cause() -> None:
    gateway = Gateway()
    body = orjson.dumps({"model": MODEL, "input": ["a b", "a b", "c"]})
    first, second = await asyncio.gather(*(gateway.ask("embeddings", body) for _ in range(2)))
    _, facts = await gateway.ask("embeddings", body)
    told = {saving.cause: (saving.units, saving.tokens) for _, seen in (first, second) for saving in seen.savings}
    assert told == {Cause.DUPLICATE: (1, 2), Cause.IN_FLIGHT: (2, 3)}
    assert second[0].collapsed
    assert {saving.cause: saving.tokens for saving in facts.savings} == {Cause.STORED: 3, Cause.DUPLICATE: 2}


async def test_a_normalised_vector_follows_from_the_unnormalised_one_and_not_the_other_way() -> None:
    one, other, fresh = Gateway(), Gateway(), Gateway()
    raw = {"model": MODEL, "input": ["a"], "normalized": False}
    unit = {"model": MODEL, "input": ["a"]}
    await one.ask("embeddings", orjson.dumps({"model": MODEL, "input": ["b"]}))
    known = [one.sources.exist]
    await one.ask("embeddings", orjson.dumps(raw))
    assert [*known, one.sources.exist] == [None, True]
    derived, _ = await one.ask("embeddings", orjson.dumps(unit))
    truth, _ = await fresh.ask("embeddings", orjson.dumps(unit))
    assert derived.body == truth.body
    assert derived.hits == 1
    assert len(asked(one)) == 2
    await other.ask("embeddings", orjson.dumps(unit))
    await other.ask("embeddings", orjson.dumps(raw))
    assert len(asked(other)) == 2


async def test_with_the_upstream_down_what_is_wholly_stored_is_answered() -> None:
    gateway = Gateway()
    before = await ask(gateway, "a", "b")
    gateway.upstream.faults.extend(Fault() for _ in range(10))
    after = await ask(gateway, "a", "b")
    assert (after.hits, after.body) == (2, before.body)
    refusal = asyncio.create_task(ask(gateway, "a", "c"))
    await gateway.clock.advance(60.0)
    with pytest.raises(GatewayError) as refused:
        await refusal
    assert refused.value.code is Code.SERVICE_UNAVAILABLE
