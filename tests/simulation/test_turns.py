"""C: calls that are late, cancelled or long, and a store that is away: nothing leaks, nothing is sent too much."""

from __future__ import annotations

import asyncio

import pytest
from fakes.shaped_worker import Town, many

from gateway.config.backends import KeyLimits

MINUTE = 60.0


async def test_whoever_is_late_is_told_at_the_deadline_and_costs_nothing(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=1), seconds=10.0)
    calls += [*many(town, 1, "runs"), *many(town, 3, "late", patience=4.0), *many(town, 1, "next")]
    await town.clock.advance(3.9)
    assert not town.late
    await town.clock.advance(0.2)
    assert [tenant for tenant, _ in town.late] == ["late"] * 3
    await town.clock.advance(20)
    assert town.served == ["runs", "next"]


async def test_the_queue_timeout_bounds_the_wait_and_not_the_call(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=1), seconds=10.0)
    calls += many(town, 2, patience=100.0, queue_timeout=5.0)
    await town.clock.advance(5.1)
    assert len(town.late) == 1
    await town.clock.advance(10)
    assert len(town.served) == 1


async def test_a_cancelled_call_leaves_nothing_behind(calls: list[asyncio.Task[bool]]) -> None:
    """Each is cancelled at another moment: waiting, just granted, running."""
    town = Town(limits=KeyLimits(rpm=1_000, concurrency=2), seconds=0.3)
    for number in range(60):
        calls += many(town, 4)
        for _ in range(number % 12):
            await asyncio.sleep(0)
        calls[-1 - number % 4].cancel()
        await town.clock.advance(0.05)
    await town.clock.advance(45)
    assert sum(call.cancelled() for call in calls) == 60
    assert len(town.served) == 180
    assert town.most_running["k1"] == 2
    assert town.counted() == (len(town.journal), 0)
    assert_at_rest(town)


def assert_at_rest(town: Town) -> None:
    for shaper in town.shapers:
        for _, station in shaper._stations.values():
            assert (station._slots.running, station._waiting, station._pump, len(station._queue)) == (0, {}, None, 0)
            assert not any(key.running for key in station.pool.keys)


@pytest.mark.parametrize("moment", ["while the store is asked", "between grant and start"])
async def test_a_call_that_goes_away_as_it_is_granted_gives_everything_back(
    calls: list[asyncio.Task[bool]], moment: str
) -> None:
    town = Town(limits=KeyLimits(rpm=10, concurrency=1))
    calls += many(town, 1)

    def go_away() -> None:
        town.pauses.on_ask = lambda: None
        if moment.startswith("between"):
            asyncio.get_running_loop().call_soon(calls[0].cancel)
        else:
            calls[0].cancel()

    town.pauses.on_ask = go_away
    await town.clock.advance(1)
    assert calls[0].cancelled()
    assert not town.journal
    assert town.counted() == (0, 0)
    assert_at_rest(town)


async def test_a_call_whose_time_runs_out_while_the_store_is_asked_is_not_sent(
    calls: list[asyncio.Task[bool]],
) -> None:
    town = Town(limits=KeyLimits(rpm=10, concurrency=1))

    def take_long() -> None:
        town.clock.now += 5

    town.pauses.on_ask = take_long
    calls += many(town, 1, patience=4.0)
    await town.clock.advance(1)
    assert len(town.late) == 1
    assert town.counted() == (0, 0)
    assert_at_rest(town)


async def test_a_deadline_is_kept_where_nothing_else_would_wake_anybody(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(seconds=10.0, local_concurrency=1)
    calls += [*many(town, 1), *many(town, 1, "late", patience=4.0)]
    await town.clock.advance(4.1)
    assert [tenant for tenant, _ in town.late] == ["late"]


async def test_a_long_call_keeps_its_slot_by_heartbeat(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=1), workers=2, seconds=50.0)
    calls += many(town, 4)
    await town.clock.advance(220)
    assert (len(town.served), town.most_running["k1"]) == (4, 1)


async def test_while_the_store_is_away_each_worker_keeps_to_its_share(calls: list[asyncio.Task[bool]]) -> None:
    limits = KeyLimits(rpm=43, tpm=1_000, concurrency=9)
    town = Town(limits=limits, workers=4, seed=5)
    await town.clock.advance(3)
    town.fail()
    calls += many(town, 500, tokens=20)
    await town.clock.advance(61)
    assert not town.served, "nothing was held, and nobody knows what others sent"
    await town.clock.advance(3 * MINUTE - 1)
    assert len(town.served) >= 3 * 40
    town.recover()
    await town.clock.advance(3 * MINUTE)
    assert len(town.served) >= 3 * 40 + 2 * 40
    assert town.worst("k1")[0] <= 43
    assert town.worst("k1")[1] <= 1_000
    assert town.most_running["k1"] <= 9
    assert set(town.observer.store_failures) == {"quota", "pauses"}
    assert not town.late


async def test_what_was_drawn_before_the_store_went_away_counts(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=8), workers=4)
    await town.clock.advance(3)
    calls += [asyncio.ensure_future(town.call(0)) for _ in range(8)]
    await town.clock.advance(1)
    town.fail()
    calls += many(town, 4)
    await town.clock.advance(50)
    assert len(town.journal) == 8
    await town.clock.advance(15)
    assert len(town.journal) == 12


async def test_what_a_worker_holds_flows_at_once_when_the_store_goes(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=80), workers=4)
    await town.clock.advance(3)
    calls += many(town, 4)
    await town.clock.advance(1)
    town.fail()
    calls += many(town, 100)
    await town.clock.advance(1)
    assert len(town.journal) == 34, "of 80, and no more than half"
