"""A worker's leases: what is spent without asking, given back, called back, told again, and split without the store."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakes.clock import settled
from fakes.parking import Gatehouse

from gateway.leasing.fallback import share_of
from gateway.leasing.leases import Leases, RefusedError
from gateway.ports import Amounts, Census
from gateway.vocabulary import Fallback, Limits, Meter, Scope

METER = Meter("t", Scope.TENANT, Limits(100, None, 8))
PART = 1 + 99 // (2 * 2)


class House(Gatehouse):
    """`first` and `second` are two workers of a store that both know of each other."""

    async def open(self) -> House:
        self.first, self.second = self.worker().leases, self.worker().leases
        for leases in (self.first, self.second, self.first):
            await leases.tick()
        self.clock.now += 2  # who joined has been heard of by all
        for leases in (self.first, self.second):
            await leases.tick()
        return self

    async def take(self, leases: Leases, requests: int = 1, slots: int = 0, meter: Meter = METER) -> bool:
        """Whether it was allowed; what was is spent at once, the slot kept."""
        task = asyncio.ensure_future(leases.take([(leases.of(meter), requests, 0, slots)]))
        await self.clock.advance(0.3)
        try:
            taken = await task
        except RefusedError:
            return False
        for entry in taken:
            if not slots:
                leases.settle(entry, requests, 0)
        return True

    async def spend(self, leases: Leases, most: int, meter: Meter = METER) -> int:
        """How many single requests in a row are allowed, of so many at most."""
        count = 0
        while count < most and await self.take(leases, meter=meter):
            count += 1
        return count

    async def tick(self, *leases: Leases) -> None:
        for each in leases:
            await each.tick()
            await settled()


@pytest.fixture
async def house() -> House:
    return await House(METER).open()


async def test_a_busy_worker_asks_seldom(house: House) -> None:
    for _ in range(PART):
        assert await house.take(house.first)
    assert len(house.quota.statements) == 1


async def test_exactly_the_limit_is_admitted_wherever_it_was_held(house: House) -> None:
    assert await house.take(house.first)
    assert house.quota.held("t").requests == 1 + 24
    allowed = 0
    for _ in range(130):
        task = asyncio.ensure_future(house.take(house.second))
        await settled()
        for subject in house.quota.calls_back:
            await house.first.called_back(subject)
        house.quota.calls_back.clear()
        allowed += await task
        await house.tick(house.first)
    assert allowed == 99


async def test_what_is_idle_goes_back_when_it_is_called(house: House) -> None:
    await house.take(house.first)
    assert house.quota.held("t").requests == 25
    await house.first.called_back("t")
    await settled()
    assert house.quota.held("t") == Amounts(0, 0, 0)
    await house.first.called_back("nobody's")


async def test_what_nobody_used_for_a_minute_goes_back_and_is_forgotten(house: House) -> None:
    await house.take(house.first)
    house.clock.now += 61
    await house.tick(house.first)
    assert house.quota.held("t") == Amounts(0, 0, 0)
    await house.tick(house.first, house.first)
    assert not house.first._leases


async def test_a_slot_in_use_is_renewed_and_a_dead_workers_is_not(house: House) -> None:
    assert await house.take(house.first, slots=1)
    assert await house.take(house.second, slots=1)
    for _ in range(6):
        house.clock.now += 5
        await house.tick(house.first)
    assert house.quota.usage("t").slots == 1


async def test_a_worker_that_stops_leaves_nothing(house: House) -> None:
    await house.take(house.first)
    await house.first.close()
    assert house.quota.held("t") == Amounts(0, 0, 0)
    assert house.quota.usage("t").requests == 1


async def test_a_lost_reply_is_asked_for_again_and_counts_once(house: House) -> None:
    house.store.lost = 1
    assert not await house.take(house.first), "in that turn, the worker believes that the store is away"
    await house.tick(house.first)
    assert house.quota.statements[0] == house.quota.statements[1]
    assert await house.take(house.first)
    assert house.quota.held("t").requests == 25


async def test_without_the_store_only_what_is_held_is_spent_for_a_window(house: House) -> None:
    await house.take(house.first)
    house.quota.down = True
    await house.tick(house.first, house.second)
    assert [await house.take(house.first) for _ in range(100)] == [True] * 24 + [False] * 76
    assert not await house.take(house.second)
    assert set(house.observer.decisions) == {"admitted", "refused"}


async def test_after_a_window_without_the_store_everybody_has_a_share(house: House) -> None:
    await house.take(house.first)
    house.quota.down = True
    await house.tick(house.first, house.second)
    house.clock.now += 62
    allowed = [0, 0]
    for number in range(150):
        allowed[number % 2] += await house.take((house.first, house.second)[number % 2])
    assert allowed == [50, 50]


async def test_slots_are_shared_without_the_store_too(house: House) -> None:
    house.quota.down = True
    await house.tick(house.first)
    house.clock.now += 62
    assert [await house.take(house.first, slots=1) for _ in range(6)] == [True] * 4 + [False] * 2


async def test_slots_are_shared_only_when_all_requests_of_before_have_ended(house: House) -> None:
    house.second.longest_seconds = 90
    assert [await house.take(house.first, slots=1) for _ in range(8)] == [True] * 8
    house.quota.down = True
    await house.tick(house.first, house.second)
    house.clock.now += 62
    assert [await house.take(house.second, slots=slots) for slots in (1, 0)] == [False, True]
    house.clock.now += 30
    assert await house.take(house.second, slots=1)


async def test_a_budget_is_spent_only_from_what_is_held_however_long_the_store_is_away(house: House) -> None:
    budget = replace(METER, subject="b", period=0)
    await house.take(house.first, meter=budget)
    house.quota.down = True
    await house.tick(house.first)
    house.clock.now += 100
    assert await house.spend(house.first, 100, budget) == 24


@pytest.mark.parametrize(("fallback", "allowed"), [(Fallback.OPEN, 300), (Fallback.CLOSED, 0)])
async def test_a_meter_may_be_open_or_closed_without_the_store(house: House, fallback: Fallback, allowed: int) -> None:
    house.quota.down = True
    await house.tick(house.first)
    assert await house.spend(house.first, 300, replace(METER, fallback=fallback)) == allowed


async def test_what_was_spent_without_the_store_is_told_when_it_is_back(house: House) -> None:
    await house.take(house.first)
    house.quota.down = True
    await house.tick(house.first)
    house.clock.now += 62
    assert await house.spend(house.first, 5) == 5
    house.quota.down = False
    await house.tick(house.first)
    assert house.quota.usage("t").requests == 5
    assert not house.first.down


async def test_a_store_that_forgot_is_told_everything_again(house: House) -> None:
    assert await house.spend(house.first, 5) == 5
    assert await house.take(house.first, slots=1)
    house.quota.forget()
    await house.tick(house.first)
    assert house.quota.usage("t") == Amounts(6, 0, 1)


async def test_until_all_have_told_nobody_is_given_more(house: House) -> None:
    await house.spend(house.first, 100)
    house.quota.forget()
    task = asyncio.ensure_future(house.second.take([(house.second.of(METER), 1, 0, 0)]))
    await settled()
    assert not task.done()
    await house.tick(house.first)
    await house.clock.advance(3.0)
    with pytest.raises(RefusedError):
        await task


async def test_a_raised_limit_holds_at_once(house: House) -> None:
    narrow = replace(METER, limits=Limits(1, None, None))
    assert await house.take(house.first, meter=narrow)
    assert not await house.take(house.first, meter=narrow)
    assert await house.take(house.first, meter=replace(METER, limits=Limits(2, None, None)))


async def test_the_share_is_of_all_workers_that_were_heard_of(house: House) -> None:
    census = house.first.rounds.census
    assert census == Census(2, census.rank, house.quota.run, house.clock.now)
    assert share_of(house.first.of(METER), [census]).requests == 50


async def test_a_full_window_is_remembered_and_nobody_asks_again_for_a_second(house: House) -> None:
    narrow = replace(METER, limits=Limits(2, None, None))
    assert await house.spend(house.first, 9, narrow) == 2
    asked = len(house.quota.statements)
    task = asyncio.ensure_future(house.first.take([(house.first.of(narrow), 1, 0, 0)]))
    await settled()
    with pytest.raises(RefusedError) as refused:
        await task
    assert len(house.quota.statements) == asked
    assert refused.value.grant is not None
    assert refused.value.grant.retry_after == pytest.approx(1_063 - house.clock.now, abs=0.5)
    await house.clock.advance(1.0)
    assert not await house.take(house.first, meter=narrow)
    assert len(house.quota.statements) > asked


async def test_a_smaller_amount_may_fit_where_a_larger_one_did_not(house: House) -> None:
    tokens = replace(METER, limits=Limits(10, None, None))
    assert await house.take(house.first, 6, meter=tokens)
    assert not await house.take(house.first, 5, meter=tokens)
    assert await house.take(house.first, 4, meter=tokens)


async def test_a_store_that_was_restarted_with_its_data_is_told_nothing_twice(house: House) -> None:
    assert await house.spend(house.first, 5) == 5
    await house.tick(house.first)
    house.quota.run += "1"
    await house.tick(house.first)
    assert house.quota.usage("t").requests == 5


async def test_after_an_absence_longer_than_a_lease_slots_in_use_are_not_given_away(house: House) -> None:
    for _ in range(5):
        assert await house.take(house.first, slots=1)
    house.quota.down = True
    await house.tick(house.first, house.second)
    house.clock.now += 20
    house.quota.down = False
    await house.tick(house.second)
    assert [await house.take(house.second, slots=1) for _ in range(4)] == [True] * 3 + [False]


async def test_a_window_that_is_full_is_remembered_for_meters_made_anew_each_time(house: House) -> None:
    def address() -> Meter:
        return Meter("ip:192.0.2.1", Scope.ADDRESS, Limits(2, None, None), expires=True)

    assert [await house.take(house.first, meter=address()) for _ in range(3)] == [True, True, False]
    asked = len(house.quota.statements)
    with pytest.raises(RefusedError):
        await house.first.take([(house.first.of(address()), 1, 0, 0)])
    assert len(house.quota.statements) == asked


@pytest.mark.parametrize(("lost", "told"), [("a statement", 6), ("everything", 5)])
async def test_a_budget_is_not_charged_twice_by_a_store_that_lost_a_little(house: House, lost: str, told: int) -> None:
    """Nor forgotten by one that lost all: the ledger of this test has nothing of it."""
    budget = replace(METER, subject="b", period=0)
    assert await house.spend(house.first, 5, budget) == 5
    await house.tick(house.first)
    if lost == "everything":
        house.quota.forget()
    else:
        for holder in house.quota._subjects["b"].holders.values():
            holder.number -= 2
        assert await house.take(house.first, meter=budget)
    await house.tick(house.first)
    await house.clock.advance(2.0)
    await house.tick(house.first)
    assert house.quota.usage("b").requests == told
