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


async def pass_with(world: World, seconds: int, *workers: str) -> list[Census]:
    """So many seconds, in which these speak."""
    censuses = []
    for _ in range(seconds // 10):
        world.advance(10)
        censuses = await hear(world, *workers)
    return censuses


async def test_a_silent_worker_is_missing_once_it_may_be_spending_its_share(world: World) -> None:
    """It is cut off alone; after some minutes it is taken for dead."""
    await hear(world, "a", "b")
    assert missing(await pass_with(world, 50, "a")) == [(0, 1)]
    assert missing(await pass_with(world, 10, "a")) == [(1, 2)]
    [census] = await pass_with(world, 240, "a")
    assert (census.workers, *missing([census])) == (2, (1, 2))
    [census] = await pass_with(world, 20, "a")
    assert (census.workers, *missing([census])) == (1, (0, 1))


async def test_who_was_silent_is_missing_until_it_has_told(world: World) -> None:
    await hear(world, "a", "b")
    await pass_with(world, 60, "a")
    assert missing(await hear(world, "b", "a")) == [(1, 2), (1, 2)]
    world.advance(1.1)
    assert missing(await hear(world, "b", "a")) == [(1, 2), (1, 2)]
    world.advance(0.2)
    assert missing(await hear(world, "b", "a")) == [(0, 1), (0, 1)]


async def test_a_worker_that_was_replaced_is_not_missed(world: World) -> None:
    """It spent no share: the store was there."""
    await hear(world, "a", "b")
    world.advance(2)
    census = await world.quota.register("c", ALIVE, "b")
    assert (census.workers, *missing([census])) == (2, (0, 1))
    assert missing(await pass_with(world, 120, "a", "c")) == [(0, 1)] * 2


async def test_a_worker_that_was_cut_off_and_then_replaced_is_missed(world: World) -> None:
    await hear(world, "a", "b")
    await pass_with(world, 60, "a")
    census = await world.quota.register("c", ALIVE, "b")
    assert (census.workers, *missing([census])) == (3, (1, 3))


async def test_a_worker_that_died_in_a_long_absence_is_missed_though_it_was_replaced(world: World) -> None:
    await hear(world, "a", "b")
    world.advance(100)
    await hear(world, "a")
    assert missing([await world.quota.register("c", ALIVE, "b")]) == [(1, 2)]


async def test_who_does_not_come_back_after_a_long_absence_is_missing_for_a_window(world: World) -> None:
    await hear(world, "a", "b", "c")
    world.advance(100)
    assert missing(await hear(world, "a")) == [(2, 3)]
    world.advance(0.2)
    assert missing(await hear(world, "a", "b", "new")) == [(2, 3), (1, 3), (1, 3)]
    for seconds in (30, 31):
        world.advance(seconds)
        censuses = await hear(world, "a", "b", "new")
    assert missing(censuses) == [(1, 3)] * 3
    world.advance(1)
    [last] = await hear(world, "a")
    assert (last.missing, last.workers) == (0, 3)


async def test_the_missing_one_may_come_back_late(world: World) -> None:
    await hear(world, "a", "b")
    world.advance(100)
    await hear(world, "a")
    world.advance(30)
    assert missing(await hear(world, "b", "a")) == [(1, 2), (1, 2)]
    world.advance(1.3)
    assert missing(await hear(world, "b", "a")) == [(0, 1), (0, 1)]


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
    assert missing(await hear(world, "a")) == [(0, 1)]


async def test_an_absence_has_ended_just_now_for_a_moment(world: World) -> None:
    assert [census.returning for census in await hear(world, "a", "b")] == [False, False]
    world.advance(100)
    assert [census.returning for census in await hear(world, "new", "a")] == [True, True]
    world.advance(1.3)
    assert [census.returning for census in await hear(world, "new", "a")] == [False, False]
