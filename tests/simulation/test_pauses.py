"""C: an upstream that refuses calls for their rate is obeyed, by all workers, and hidden."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from fakes.shaped_worker import Town, many

from gateway.config.backends import KeyLimits


@pytest.mark.parametrize("limits", [None, KeyLimits(rpm=100)], ids=["unlimited", "limited"])
async def test_a_refused_key_rests_and_its_call_is_sent_again_before_others(
    calls: list[asyncio.Task[bool]], limits: KeyLimits | None
) -> None:
    town = Town(limits=limits, local_concurrency=1)
    town.refusals = [5.0, 3.0]
    for tokens in (1, 2, 3):
        calls += many(town, 1, tokens=tokens)
    await town.clock.advance(0.9)
    assert len(town.journal) == 1
    await town.clock.advance(20)
    assert [entry.tokens for entry in town.journal] == [1, 1, 1, 2, 3]
    assert town.observer.paused == ["up", "up"]
    assert not town.late


async def test_a_pause_is_kept_by_workers_that_did_not_see_it(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=100), workers=4)
    town.refusals = [30.0]
    calls += many(town, 1)
    await town.clock.advance(0.1)
    calls += many(town, 40)
    await town.clock.advance(29)
    assert len(town.journal) == 1
    await town.clock.advance(10)
    assert len(town.served) == 41


async def test_a_worker_tells_of_a_long_pause_as_soon_as_it_hears_of_it(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=100), workers=2)
    town.refusals = [40.0]
    calls += many(town, 1, queue_timeout=50.0)
    await town.clock.advance(0.1)
    calls.append(asyncio.ensure_future(town.call(1, "late", queue_timeout=30.0)))
    await town.clock.advance(0.1)
    assert [tenant for tenant, _ in town.late] == ["late"]
    assert town.late[0][1] == pytest.approx(39.9)


async def test_another_key_takes_over_at_once(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(keys=("k1", "k2"))
    town.refusals = [30.0]
    calls += many(town, 1)
    await town.clock.advance(1)
    assert [entry.key for entry in town.journal] == ["k1", "k2"]
    assert len(town.served) == 1


async def test_pauses_without_a_word_grow_and_are_short_again_after_an_answer(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(seconds=0.0)
    town.refusals = [0.0] * 4
    calls += many(town, 1)
    await town.clock.advance(10)
    town.refusals = [0.0]
    calls += many(town, 1)
    await town.clock.advance(10)
    times = [entry.at for entry in town.journal]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:4] == pytest.approx([0.2, 0.4, 0.8, 1.6])
    assert gaps[5] == pytest.approx(0.2)


async def test_a_pause_longer_than_the_time_left_is_told_at_once(calls: list[asyncio.Task[bool]]) -> None:
    town = Town()
    town.refusals = [40.0]
    calls += many(town, 1, patience=100.0, queue_timeout=30.0)
    await town.clock.advance(0.1)
    assert [retry_after for _, retry_after in town.late] == pytest.approx([40.0])
    calls += many(town, 1, "waits", patience=100.0, queue_timeout=50.0)
    await town.clock.advance(45)
    assert town.served == ["waits"]


async def test_a_pause_is_kept_while_the_store_is_away(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=100))
    calls += many(town, 1)
    await town.clock.advance(3)
    town.fail()
    town.refusals = [5.0]
    calls += many(town, 3)
    await town.clock.advance(4.9)
    assert len(town.journal) == 4
    await town.clock.advance(2)
    assert len(town.served) == 4
