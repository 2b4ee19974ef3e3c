"""Cancelled at every turn of the loop: what is held, spent and in use stays what the store knows of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fakes.clock import settled
from fakes.parking import Gatehouse

from gateway.leasing.leases import RefusedError
from gateway.ports import Amounts
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

METER = Meter("t", Scope.TENANT, Limits(100, None, 8))
MOST_TURNS = 40
WORK: dict[str, Callable[[Gatehouse], Awaitable[object]]] = {
    "tick": lambda house: house.leases.tick(),
    "keep": lambda house: house.leases.keep(),
    "called back": lambda house: house.leases.called_back("t"),
    "take": lambda house: house.leases.take([(house.leases.of(METER), 60, 0, 1)]),
    "usage": lambda house: house.leases.usage(METER),
}


async def busy() -> Gatehouse:
    """Five requests are spent and not yet told, one is in use, some are idle."""
    house = Gatehouse(METER)
    await house.leases.tick()
    spent, _ = [(await house.leases.take([(house.leases.of(METER), count, 0, 1)]))[0] for count in (5, 1)]
    house.leases.settle(spent, 5, 0)
    house.clock.now += 2
    return house


async def cancelled(house: Gatehouse, what: str, turns: int) -> bool:
    """Whether it was over before."""
    task = asyncio.ensure_future(WORK[what](house))
    for _ in range(turns):
        await asyncio.sleep(0)
        if what == "keep":
            await house.clock.advance(0.01)
    over = task.done()
    task.cancel()
    with suppress(asyncio.CancelledError, RefusedError):
        for taken in await task if what == "take" else []:  # type: ignore[attr-defined] # what take gives
            house.leases.settle(taken, 0, 0)
    with suppress(asyncio.CancelledError, RefusedError):
        await task
    return over


@pytest.mark.parametrize("away", [False, True], ids=["store answers", "reply lost"])
@pytest.mark.parametrize("what", WORK)
async def test_nothing_leaks_and_nothing_is_told_twice(what: str, *, away: bool) -> None:
    over, turns = False, 0
    while turns < MOST_TURNS:
        house = await busy()
        house.store.lost = int(away)
        over = await cancelled(house, what, turns) or over
        await settled()
        for _ in range(3):
            house.clock.now += 0.2
            await house.leases.tick()
            await settled()
        lease = house.leases.of(METER)
        assert house.quota.usage("t") == Amounts(6, 0, 1), turns
        assert house.quota.held("t") == tuple(map(sum, zip(lease.idle, lease.busy, strict=True))), turns
        assert lease.busy == [1, 0, 1], turns
        assert not lease.owes, turns
        await house.tasks.drain(5.0)
        turns += 1
    assert over or what == "keep"
