from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fakes.clock import FakeClock, settled
from fakes.fan_out import FanOut

from gateway.config.schema import Config
from gateway.dispatch.known_limits import AGAIN_SECONDS, FRESH_SECONDS, KnownLimits
from gateway.errors import TransportError
from gateway.ports import RawReply
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from gateway.dispatch.order import Order
    from gateway.ports import Exchange


class Telling:
    """A backend that tells its limits, unless it is `away`; counts how often it was asked."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked = 0
        self.away = False

    async def send(self, _: str, __: Exchange, ___: float) -> RawReply:
        self.asked += 1
        if self.away:
            raise TransportError("away")
        return RawReply(200, {}, json.dumps({"max_client_batch_size": self.most}).encode())


def order_of(names: str = "a", **settings: Any) -> Order:
    return FanOut(names, **settings).order(["text"])


async def inputs(limits: KnownLimits, order: Order) -> tuple[int | None, int | None]:
    """What is known at once (0: nothing), and what is known in the end."""
    known = limits.at_once(order)
    return 0 if known is None else known.inputs, (await limits.of(order)).inputs


async def test_what_a_backend_told_is_known_at_once_until_it_is_to_be_asked_again() -> None:
    clock, backend = FakeClock(), Telling(7)
    limits, order = KnownLimits(backend, clock, TaskGroup()), order_of(dialect="tei")
    assert await inputs(limits, order) == (0, 7)
    assert await inputs(limits, order) == (7, 7)
    backend.most = 5
    await clock.advance(FRESH_SECONDS)
    assert await inputs(limits, order) == (0, 7)  # it is asked again, beside the call
    await settled()
    assert await inputs(limits, order) == (0, 5)
    assert await inputs(limits, order) == (5, 5)
    assert backend.asked == 2


async def test_a_backend_that_is_away_is_asked_again() -> None:
    clock, backend = FakeClock(), Telling(7)
    backend.away = True
    limits, order = KnownLimits(backend, clock, TaskGroup()), order_of(dialect="tei")
    assert await inputs(limits, order) == (0, 32)
    assert await inputs(limits, order) == (32, 32)
    backend.away = False
    await clock.advance(AGAIN_SECONDS)
    await inputs(limits, order)
    await settled()
    assert await inputs(limits, order) == (0, 7)


async def test_other_settings_hold_at_once() -> None:
    limits = KnownLimits(Telling(7), FakeClock(), TaskGroup())
    before = order_of(max_inputs=3)
    assert await inputs(limits, before) == (0, 3)
    assert await inputs(limits, before) == (3, 3)
    backend = before.snapshot.config.backends["a"].model_copy(update={"max_inputs": 2})
    config = before.snapshot.config.model_copy(update={"backends": {"a": backend}})
    assert isinstance(config, Config)
    after = replace(before, snapshot=replace(before.snapshot, config=config))
    assert await inputs(limits, after) == (0, 2)
    assert await inputs(limits, after) == (2, 2)


async def test_of_several_backends_nothing_is_known_at_once() -> None:
    limits = KnownLimits(Telling(7), FakeClock(), TaskGroup())
    order = order_of("ab", each={"a": {"max_inputs": 3}, "b": {"max_inputs": 2}})
    assert await inputs(limits, order) == (0, 2)
    assert await inputs(limits, order) == (0, 2)
