"""A store that was away so long that shares were spent: everything is told before anything is granted."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import settled
from fakes.parking import Gatehouse

from gateway.leasing.leases import Leases, RefusedError
from gateway.ports import Amounts
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from gateway.leasing.lease import Taken

METER = Meter("t", Scope.TENANT, Limits(100, None, 8))


@pytest.fixture
async def house() -> Gatehouse:
    gatehouse = Gatehouse(METER)
    await gatehouse.leases.tick()
    gatehouse.clock.now += 2
    await tick(gatehouse.leases)
    return gatehouse


async def tick(leases: Leases) -> None:
    await leases.tick()
    await settled()


async def leave_alone(house: Gatehouse, seconds: float = 62.0) -> None:
    house.quota.down = True
    await tick(house.leases)
    house.clock.now += seconds


async def test_what_is_in_use_of_a_share_is_held_when_the_store_is_back(house: Gatehouse) -> None:
    await leave_alone(house)
    taken = await house.leases.take([(house.leases.of(METER), 3, 0, 2)])
    house.quota.down = False
    await tick(house.leases)
    assert house.quota.held("t") == Amounts(3, 0, 2)
    house.leases.settle(taken[0], 1, 0)
    await tick(house.leases)
    assert house.quota.usage("t") == Amounts(1, 0, 0)


@pytest.mark.parametrize("lost", ["question", "reply"])
async def test_what_was_asked_before_an_absence_is_not_granted_after_it(house: Gatehouse, lost: str) -> None:
    if lost == "reply":
        house.store.lost = 1
    else:
        house.store.failures["exchange"] = 1
    with pytest.raises(RefusedError):
        await house.leases.take([(house.leases.of(METER), 1, 0, 0)])
    await leave_alone(house)
    house.quota.down = False
    await tick(house.leases)
    assert not house.leases.of(METER).holds
    await tick(house.leases)
    assert house.quota.held("t") == Amounts()


async def test_a_store_that_forgot_meanwhile_is_told_the_shares_once(house: Gatehouse) -> None:
    lease = house.leases.of(METER)
    for taken in await house.leases.take([(lease, 5, 0, 0)]):
        house.leases.settle(taken, 5, 0)
    await tick(house.leases)
    await leave_alone(house)
    (spent,) = await house.leases.take([(lease, 7, 0, 0)])
    (running,) = await house.leases.take([(lease, 2, 0, 1)])
    house.leases.settle(spent, 7, 0)
    house.quota.forget()
    house.quota.down = False
    await tick(house.leases)
    assert house.quota.usage("t") == Amounts(9, 0, 1)
    house.leases.settle(running, 2, 0)
    await tick(house.leases)
    assert house.quota.usage("t") == Amounts(9, 0, 0)


async def test_a_worker_that_never_heard_the_store_has_no_share(house: Gatehouse) -> None:
    late = house.worker().leases
    house.quota.down = True
    await tick(late)
    house.clock.now += 100
    with pytest.raises(RefusedError):
        await late.take([(late.of(METER), 1, 0, 0)])


async def spend(house: Gatehouse, meter: Meter, requests: int) -> None:
    """Each request is told of by itself."""
    for _ in range(requests):
        for taken in await house.leases.take([(house.leases.of(meter), 1, 0, 0)]):
            house.leases.settle(taken, 1, 0)
        house.clock.now += 1
        await tick(house.leases)


@pytest.mark.parametrize("period", [None, 0], ids=["a window", "a budget"])
@pytest.mark.parametrize("lost", [2, 7])
async def test_a_store_that_lost_its_last_seconds_is_told_just_those(
    house: Gatehouse, lost: int, period: int | None
) -> None:
    """And again, when it loses them again."""
    meter = replace(METER, period=period)
    await spend(house, meter, 5)
    for _ in range(2):
        written = deepcopy(house.quota._subjects)
        before = house.quota.usage("t").requests
        await spend(house, meter, lost)
        house.quota._subjects, house.quota.run = written, house.quota.run + "1"
        await spend(house, meter, 1)
        await house.clock.advance(2)
        await tick(house.leases)
        assert house.quota.usage("t").requests == before + lost + 1


async def test_what_was_held_idle_beside_a_share_is_given_up(house: Gatehouse) -> None:
    """Shares are the whole limit: nobody may spend them, and then what it held before."""
    lease = house.leases.of(METER)
    await spend(house, METER, 1)
    assert lease.holds
    await leave_alone(house)
    (taken,) = await house.leases.take([(lease, 99, 0, 0)])
    house.leases.settle(taken, 99, 0)
    house.quota.down = False
    await house.leases.tick()
    assert house.leases.taken_at_once([(lease, 2, 0, 0)]) is None
    await settled()
    assert house.leases.taken_at_once([(lease, 2, 0, 0)]) is None
    assert house.quota.held("t") == Amounts()


async def test_whoever_began_alone_goes_on_without_a_store_that_went_away_at_once() -> None:
    house = Gatehouse(METER)
    await house.leases.tick()
    for taken in await house.leases.take([(house.leases.of(METER), 1, 0, 1)]):
        house.leases.settle(taken, 1, 0)
    await settled()
    await leave_alone(house, 1.0)
    assert house.leases.taken_at_once([(house.leases.of(METER), 1, 0, 1)]) or await house.leases.take(
        [(house.leases.of(METER), 1, 0, 1)]
    )


async def test_a_store_that_lost_its_last_second_waits_for_whoever_it_forgot(house: Gatehouse) -> None:
    """Who asks first after the restart was not forgotten itself: it must not get what another has spent."""
    other = house.worker().leases
    await spend(house, METER, 1)
    (taken,) = await other.take([(other.of(METER), 1, 0, 0)])
    other.settle(taken, 1, 0)
    await tick(other)
    await tick(house.leases)
    written = deepcopy(house.quota._subjects)
    for taken in await other.take([(other.of(METER), 70, 0, 0)]):
        other.settle(taken, 70, 0)
    await tick(other)
    house.quota._subjects, house.quota.run = written, house.quota.run + "1"
    asking = asyncio.ensure_future(house.leases.take([(house.leases.of(METER), 60, 0, 0)]))
    await settled()
    await tick(other)
    with pytest.raises(RefusedError):
        await _advanced(house, asking)
    assert house.quota.usage("t").requests == 72


async def _advanced(house: Gatehouse, asking: asyncio.Future[list[Taken]]) -> list[Taken]:
    await house.clock.advance(3)
    return await asking


async def test_an_answer_that_had_to_be_asked_for_again_does_not_set_the_clock_back(house: Gatehouse) -> None:
    """Else what is taken next is charged to a second that leaves the window too early."""
    house.store.lost = 1
    with pytest.raises(RefusedError):
        await house.leases.take([(house.leases.of(METER), 1, 0, 0)])
    house.clock.now += 30
    await tick(house.leases)
    (taken,) = await house.leases.take([(house.leases.of(METER), 1, 0, 0)])
    assert taken.second == int(house.clock.now)
