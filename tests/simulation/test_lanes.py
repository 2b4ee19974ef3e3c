"""C: people and a bulk job at one backend: what people wait for does not depend on how much bulk there is."""

from __future__ import annotations

import asyncio
import random

import pytest
from fakes.shaped_worker import Town

from gateway.vocabulary import Lane

MINUTES = 6
WARM_UP = 30.0


async def percentile(calls: list[asyncio.Task[bool]], concurrency: int, load: float, bulk_seconds: float) -> float:
    """The 99th of how long interactive calls took, of arrivals by chance that use `load` of all places."""
    town = Town(local_concurrency=concurrency, seconds=1.0)
    chance = random.Random(5)  # noqa: S311 - a simulation
    took: list[float] = []

    async def person() -> bool:
        began = town.clock.now
        await town.call(tenant="people")
        if began > 1_000 + WARM_UP:
            took.append(town.clock.now - began)
        return True

    async def people() -> bool:
        while True:
            await town.clock.sleep(chance.expovariate(load * concurrency))
            calls.append(asyncio.ensure_future(person()))

    async def job() -> bool:
        while True:
            await town.call(tenant="job", tokens=int(10 * bulk_seconds), lane=Lane.BULK, seconds=bulk_seconds)

    calls.append(asyncio.ensure_future(people()))
    if bulk_seconds:
        calls += [asyncio.ensure_future(job()) for _ in range(4 * concurrency)]
    await town.clock.advance(MINUTES * 60.0)
    assert not bulk_seconds or "job" in town.served
    return sorted(took)[int(0.99 * len(took))]


@pytest.mark.parametrize("load", [0.5, 0.7])
@pytest.mark.parametrize("concurrency", [8, 32])
async def test_a_bulk_job_raises_interactive_times_by_half_at_most(
    calls: list[asyncio.Task[bool]], concurrency: int, load: float
) -> None:
    alone = await percentile(calls, concurrency, load, 0.0)
    beside = await percentile(calls, concurrency, load, 3.0)
    assert beside <= 1.5 * alone


async def test_a_single_place_is_bulks_only_when_nobody_else_waits(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(local_concurrency=1, seconds=1.0)
    calls += [asyncio.ensure_future(town.call(tenant="people")) for _ in range(100)]
    calls += [asyncio.ensure_future(town.call(tenant="job", lane=Lane.BULK)) for _ in range(3)]
    await town.clock.advance(100.5)
    assert town.served == ["people"] * 100
    await town.clock.advance(3)
    assert town.served[100:] == ["job"] * 3


async def test_a_bulk_job_goes_on_beside_as_many_people_as_there_are_places(calls: list[asyncio.Task[bool]]) -> None:
    """It has its twentieth of the tokens."""
    town = Town(local_concurrency=4, seconds=1.0)
    calls += [asyncio.ensure_future(town.call(tenant="people")) for _ in range(800)]
    calls += [asyncio.ensure_future(town.call(tenant="job", lane=Lane.BULK)) for _ in range(100)]
    await town.clock.advance(200)
    assert 30 <= town.served.count("job") <= 50


async def test_what_waits_and_what_runs_can_be_seen() -> None:
    town = Town(local_concurrency=2, seconds=1.0)
    tasks = [asyncio.ensure_future(town.call(lane=lane)) for lane in (*[Lane.INTERACTIVE] * 3, Lane.BULK)]
    await town.clock.advance(0.5)
    (station,) = town.shapers[0].stations.values()
    assert [(station.running(lane), station.waiting(lane)) for lane in (Lane.INTERACTIVE, Lane.BULK)] == [
        (2, 1),
        (0, 1),
    ]
    await town.clock.advance(5.0)
    await asyncio.gather(*tasks)
    assert [(station.running(lane), station.waiting(lane)) for lane in Lane] == [(0, 0), (0, 0)]
