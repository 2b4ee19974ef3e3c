"""Workers that an absence of the store swallowed, and one that begins as a store comes back empty."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from fakes.clock import settled
from fakes.parking import ParkingQuota, Worker

from gateway.errors import StoreError
from gateway.leasing.leases import Leases, RefusedError
from gateway.leasing.rounds import QUIET_SECONDS
from gateway.leasing.seat import Seat
from gateway.leasing.share import share, without_missing
from gateway.ports import Census
from gateway.vocabulary import Fallback, Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from fakes.parking import Gatehouse

T = TypeVar("T")

METER = Meter("t", Scope.TENANT, Limits(100, None, 8))
TICK = 0.2


async def pass_time(house: Gatehouse, workers: Sequence[Worker], seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        house.clock.now += TICK
        for worker in workers:
            await worker.leases.tick()
        await settled()


async def spend_all(leases: Leases) -> int:
    """Requests until one is refused."""
    spent = 0
    while True:
        try:
            for taken in await leases.take([(leases.of(METER), 1, 0, 0)], patient=False):
                leases.settle(taken, 1, 0)
        except RefusedError:
            return spent
        spent += 1


async def test_a_worker_that_dies_while_the_store_is_away_takes_its_share_along(house: Gatehouse) -> None:
    dies, lives, other = (house.worker() for _ in range(3))
    await pass_time(house, [dies, lives, other], 3)
    house.quota.down = True
    await pass_time(house, [dies, lives, other], 62)
    spent = await spend_all(dies.leases)
    assert spent in {33, 34}
    house.quota.down = False
    await pass_time(house, [lives, other], QUIET_SECONDS)
    spent += await spend_all(lives.leases) + await spend_all(other.leases)
    assert spent <= 100
    for _ in range(3):
        await pass_time(house, [lives, other], 20)
        spent += await spend_all(lives.leases)
        assert spent <= 100
    await pass_time(house, [lives, other], 62)
    assert await spend_all(lives.leases) == 100


async def test_a_worker_that_began_meanwhile_gets_nothing_before_the_others_have_told(house: Gatehouse) -> None:
    """Whether it has been asked before, or not."""
    old = [house.worker(), house.worker()]
    await pass_time(house, old, 3)
    house.quota.down = True
    await pass_time(house, old, 62)
    young, youngest = house.worker(), house.worker()
    await young.leases.tick()
    assert await spend_all(young.leases) == 0
    spent = await spend_all(old[0].leases) + await spend_all(old[1].leases)
    assert spent == 100
    house.quota.down = False
    house.clock.now += 0.01
    for worker in (young, youngest):
        await worker.leases.tick()
        assert await spend_all(worker.leases) == 0
    await pass_time(house, [young, youngest, *old], 2 * QUIET_SECONDS)
    assert await spend_all(young.leases) == 0


async def test_nothing_is_kept_back_for_workers_that_come_back(house: Gatehouse) -> None:
    both = [house.worker(), house.worker()]
    await pass_time(house, both, 3)
    house.quota.down = True
    await pass_time(house, both, 62)
    house.quota.down = False
    await pass_time(house, both, 2 * QUIET_SECONDS)
    assert await spend_all(both[0].leases) == 100


async def test_a_worker_that_left_in_order_is_not_missed(house: Gatehouse) -> None:
    stays, leaves = house.worker(), house.worker()
    await pass_time(house, [stays, leaves], 3)
    await leaves.leases.close()
    house.quota.down = True
    await pass_time(house, [stays], 62)
    house.quota.down = False
    await pass_time(house, [stays], 2 * QUIET_SECONDS)
    assert await spend_all(stays.leases) == 100


class Severed(ParkingQuota):
    """The way of one worker to the store, which may be cut."""

    cut = False

    async def _call(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        if self.cut:
            work.close()
            raise StoreError(name)
        return await super()._call(name, work)


async def test_a_worker_that_is_cut_off_alone_spends_what_the_others_leave_alone(house: Gatehouse) -> None:
    line = Severed(house.quota, house.tasks)
    alone = Worker(line, house.clock, house.tasks, house.observer)
    other = house.worker()
    await pass_time(house, [alone, other], 3)
    line.cut = True
    await pass_time(house, [alone, other], 62)
    spent = await spend_all(alone.leases) + await spend_all(other.leases)
    assert (spent, await spend_all(other.leases)) == (100, 0)
    await pass_time(house, [alone, other], 30)
    line.cut = False
    for _ in range(8):
        await pass_time(house, [other, alone], TICK)
        assert await spend_all(other.leases) == 0
    await pass_time(house, [alone, other], 62)
    assert await spend_all(other.leases) == 100


async def newcomer_spends(house: Gatehouse, newcomer: Leases) -> int:
    """What a worker gets that begins as a store is back, before the other has spoken; then the other tells."""
    old = house.worker()
    await pass_time(house, [old], 3)
    spent = await spend_all(old.leases)
    assert spent == 100
    house.quota.forget()
    house.clock.now += 0.01
    await newcomer.tick()
    spent = await spend_all(newcomer)
    await pass_time(house, [old], QUIET_SECONDS)
    return spent + await spend_all(newcomer)


async def test_a_worker_that_begins_as_a_store_comes_back_empty_waits_for_the_others(house: Gatehouse) -> None:
    assert await newcomer_spends(house, house.worker().leases) == 0


async def test_who_begins_with_a_server_that_nobody_met_before_need_not_wait(house: Gatehouse) -> None:
    house.quota.started = house.clock.now
    first = Leases(house.store, house.clock, house.tasks, house.observer, seat=Seat("first", first_run=house.quota.run))
    await first.tick()
    assert await spend_all(first) == 100


@pytest.mark.parametrize("limit", [0, 1, 7, 100])
@pytest.mark.parametrize(("former", "missing"), [(2, 1), (3, 1), (3, 2), (7, 5)])
def test_what_is_left_covers_the_shares_of_the_missing(limit: int, former: int, missing: int) -> None:
    census = Census(former, 0, "", 0.0, missing, former)
    left = without_missing(replace(METER, limits=Limits(limit, limit, 8)), census).limits
    largest = sorted((share(limit, former, rank, "t") for rank in range(former)), reverse=True)
    assert left == Limits(max(0, limit - missing * largest[0]), max(0, limit - missing * largest[0]), 8)


@pytest.mark.parametrize(
    "meter",
    [
        replace(METER, period=0),
        replace(METER, fallback=Fallback.OPEN),
        replace(METER, fallback=Fallback.CLOSED),
        replace(METER, limits=Limits(None, None, 8)),
    ],
    ids=["a budget", "open", "closed", "no limit"],
)
def test_what_is_not_spent_from_shares_stays(meter: Meter) -> None:
    assert without_missing(meter, Census(3, 0, "", 0.0, 2, 3)).limits == meter.limits
