"""A key of several that the upstream refuses is left alone, and no client hears of it."""

from __future__ import annotations

import orjson
import pytest
from fakes.clock import settled
from fakes.gateway import Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.backends import Backend
from gateway.errors import Code, GatewayError

GOOD, STALE = "jina_" + "g" * 60, "jina_" + "s" * 60


def gateway(*keys: str) -> Gateway:
    made = Gateway(configured(backends={"jina": Backend(dialect="jina", url="http://u", keys=keys, batch=False)}))
    made.upstream.keys = {GOOD}
    return made


async def ask(made: Gateway, text: str) -> None:
    await made.ask("embeddings", orjson.dumps({"model": "jina-embeddings-v3", "input": [text]}))


async def test_a_refused_key_is_set_aside_for_the_others() -> None:
    made = gateway(STALE, GOOD)
    await ask(made, "a")
    assert made.upstream.presented == [STALE, GOOD]
    for text in "bcd":
        await ask(made, text)
    assert made.upstream.presented.count(STALE) == 1
    assert made.seen.misfits == ["jina"]
    await settled()
    await made.clock.advance(61)
    made.upstream.keys.add(STALE)
    made.upstream.presented.clear()
    for text in "efgh":
        await ask(made, text)
    assert STALE in made.upstream.presented


async def test_where_all_are_refused_it_is_our_fault() -> None:
    made = gateway(STALE, STALE[:-1] + "t")
    with pytest.raises(GatewayError) as raised:
        await ask(made, "a")
    assert raised.value.code is Code.SERVICE_UNAVAILABLE
    assert len(made.upstream.presented) == 2
    assert made.seen.misfits == ["jina", "jina"]


async def test_a_refusal_that_is_not_for_the_key_sets_none_aside() -> None:
    made = gateway(GOOD, STALE)
    made.upstream.faults.append(Fault(404, b"{}"))
    with pytest.raises(GatewayError):
        await ask(made, "a")
    await ask(made, "b")
    assert made.upstream.presented == [GOOD]
