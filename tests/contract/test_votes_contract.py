from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakes.world import World

ONE, OTHER = b"1" * 16, b"2" * 16


async def test_each_voter_counts_once_for_each_subject(world: World) -> None:
    assert await world.votes.cast([ONE, OTHER], b"a") == [1, 1]
    assert await world.votes.cast([ONE], b"b") == [2]
    assert await world.votes.cast([OTHER, ONE], b"a") == [1, 2]


async def test_nothing_asked_nothing_counted(world: World) -> None:
    assert await world.votes.cast([], b"a") == []


async def test_many_subjects(world: World) -> None:
    subjects = [number.to_bytes(16, "big") for number in range(150)]
    await world.votes.cast(subjects[:100], b"a")
    assert await world.votes.cast(subjects, b"b") == [2] * 100 + [1] * 50
