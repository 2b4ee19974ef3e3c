"""Who counts as a worker: the living, the silent for a while, and those whom a long absence of the store swallowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fakes.world import World

    from gateway.ports import Census

ALIVE = 15.0


async def hear(world: World, *workers: str) -> list[Census]:
    return [await world.quota.register(worker, ALIVE) for worker in workers]


def missing(censuses: list[Census]) -> list[tuple[int, int]]:
    return [(census.missing, census.former) for census in censuses]


async def test_a_worker_that_leaves_counts_no_more(world: World) -> None:
    await hear(world, "a", "b")
    await world.quota.leave("b")
    [census] = await hear(world, "a")
    assert (census.workers, census.rank) == (1, 0)


async def test_a_silent_worker_still_counts_while_the_store_is_there(world: World) -> None:
    await hear(world, "a", "b")
    for _ in range(10):
        world.advance(20)
        [census] = await hear(world, "a")
    assert (census.workers, census.missing) == (2, 0)


async def test_who_does_not_come_back_after_a_long_absence_is_missing_for_a_window(world: World) -> None:
    await hear(world, "a", "b", "c")
    world.advance(100)
    assert missing(await hear(world, "a")) == [(2, 3)]
    world.advance(0.2)
    assert missing(await hear(world, "a", "b", "new")) == [(2, 3), (1, 3), (1, 3)]
    for seconds in (30, 31):
        world.advance(seconds)
        censuses = await hear(world, "a", "b")
    assert missing(censuses) == [(1, 3), (1, 3)]
    world.advance(1)
    [last] = await hear(world, "a")
    assert (last.missing, last.workers) == (0, 3)


async def test_the_missing_one_may_come_back_late(world: World) -> None:
    await hear(world, "a", "b")
    world.advance(100)
    await hear(world, "a")
    world.advance(30)
    assert missing(await hear(world, "b", "a")) == [(0, 2), (0, 2)]


@pytest.mark.parametrize("seconds", [5, 44])
async def test_nobody_is_missing_after_a_short_absence(world: World, seconds: int) -> None:
    """Shares are spent after a window only."""
    await hear(world, "a", "b")
    world.advance(seconds)
    assert missing(await hear(world, "a")) == [(0, 1)]


@pytest.mark.parametrize("seconds", [100, 1_000, 100_000])
async def test_an_absence_counts_for_nobodys_silence(world: World, seconds: int) -> None:
    await hear(world, "a", "b")
    world.advance(seconds)
    [census] = await hear(world, "a")
    assert (census.workers, census.missing) == (2, 1)


async def test_workers_that_were_all_stopped_and_replaced_are_not_missing(world: World) -> None:
    await hear(world, "a", "b")
    world.advance(1_000)
    assert missing(await hear(world, "c", "d", "c")) == [(0, 1)] * 3


async def test_a_second_absence_begins_anew(world: World) -> None:
    await hear(world, "a", "b", "c")
    for _ in range(2):
        world.advance(100)
        censuses = await hear(world, "b", "c")
    assert missing(censuses) == [(2, 3), (1, 3)]


async def test_who_left_before_or_after_is_not_missing(world: World) -> None:
    await hear(world, "a", "b", "c")
    await world.quota.leave("c")
    world.advance(100)
    await hear(world, "a", "b")
    await world.quota.leave("b")
    assert missing(await hear(world, "a")) == [(0, 2)]
