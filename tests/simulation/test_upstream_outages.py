"""C: a store that goes away, hangs, or comes back empty: no minute at the upstream holds more than is allowed."""

from __future__ import annotations

import asyncio
import random

import pytest
from fakes.shaped_worker import Town, many

from gateway.config.backends import KeyLimits

LIMITS = KeyLimits(rpm=43, tpm=1_000, concurrency=9)
MINUTE = 60.0


def within(town: Town, limits: KeyLimits) -> None:
    calls, tokens = town.worst("k1")
    assert calls <= (limits.rpm or 1e9)
    assert tokens <= (limits.tpm or 1e9)
    assert town.most_running["k1"] <= (limits.concurrency or 1e9)


@pytest.mark.parametrize("emptied", [False, True], ids=["keeps its data", "loses its data"])
@pytest.mark.parametrize("away", [1.0, 20.0, 70.0, 200.0])
@pytest.mark.parametrize("drawn_by", [1, 4], ids=["one drew", "all drew"])
async def test_what_all_workers_send_stays_within_the_limit(
    calls: list[asyncio.Task[bool]], drawn_by: int, away: float, *, emptied: bool
) -> None:
    """One worker, or all, have used the whole minute when the store goes; all have work for hours."""
    town = Town(limits=LIMITS, workers=4, seed=11)
    calls += [asyncio.ensure_future(town.call(number % drawn_by, tokens=20)) for number in range(100)]
    await town.clock.advance(10)
    town.fail()
    calls += many(town, 1_000, tokens=20)
    await town.clock.advance(away)
    town.recover(emptied=emptied)
    await town.clock.advance(3 * MINUTE)
    within(town, LIMITS)
    minutes = 3 + max(0.0, away - 61) / MINUTE
    assert len(town.journal) >= 0.8 * 43 * minutes


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_store_does(calls: list[asyncio.Task[bool]], seed: int) -> None:
    """Calls of all sizes and lengths, outages of all lengths, some with loss of everything."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    rpm, tpm, concurrency = chance.choice([7, 40]), chance.choice([300, 2_000]), chance.choice([1, 3, 9])
    limits = KeyLimits(rpm=rpm, tpm=tpm, concurrency=concurrency)
    town = Town(limits=limits, workers=3, seed=seed, seconds=chance.choice([0.2, 3.0, 40.0]))
    for _ in range(6):
        for _ in range(chance.choice([5, 60])):
            tokens = chance.randint(1, 100)
            used = chance.randint(0, tokens)
            calls.append(asyncio.ensure_future(town.call(chance.randrange(3), tokens=tokens, used=used)))
        await town.clock.advance(chance.uniform(0, 30))
        town.fail()
        await town.clock.advance(chance.choice([0.5, 5.0, 40.0, 70.0, 130.0]))
        town.recover(emptied=chance.random() < 0.5)
    await town.clock.advance(MINUTE)
    within(town, limits)
    assert town.served


async def test_calls_longer_than_a_minute_keep_their_slots_while_the_store_is_away(
    calls: list[asyncio.Task[bool]],
) -> None:
    """One worker has all slots in use; the others begin when these calls have ended, which is known."""
    town = Town(limits=KeyLimits(concurrency=4), workers=4, seconds=100.0, timeout=110.0)
    await town.clock.advance(3)
    calls += [asyncio.ensure_future(town.call(0)) for _ in range(4)]
    await town.clock.advance(1)
    town.fail()
    calls += many(town, 40)
    await town.clock.advance(10 * MINUTE)
    assert town.most_running["k1"] == 4
    assert len(town.journal) >= 4 + 4 * 4


async def test_a_worker_that_begins_while_the_store_is_away_sends_nothing(calls: list[asyncio.Task[bool]]) -> None:
    """Nobody knows of it, so the others' shares add up to the limit."""
    town = Town(limits=KeyLimits(rpm=8), workers=2)
    town.keepers[1].cancel()
    await town.clock.advance(3)
    town.fail()
    late = town.tasks.spawn(town.keep(town.leases[1]), "keep")
    calls += many(town, 40)
    await town.clock.advance(2 * MINUTE)
    assert town.worst("k1")[0] == 8
    late.cancel()


async def test_a_worker_that_joined_just_before_has_no_share_the_others_do_not_know_of(
    calls: list[asyncio.Task[bool]],
) -> None:
    town = Town(limits=KeyLimits(rpm=12), workers=3)
    town.keepers[2].cancel()
    await town.clock.advance(3.1)
    late = town.tasks.spawn(town.keep(town.leases[2]), "keep")
    await town.clock.advance(0.01)
    town.fail()
    calls += many(town, 60)
    await town.clock.advance(2 * MINUTE)
    assert 8 <= town.worst("k1")[0] <= 12
    late.cancel()


async def test_what_one_worker_holds_beyond_its_share_is_not_spent_again_before_the_others_begin(
    calls: list[asyncio.Task[bool]],
) -> None:
    """One worker has reserved all tokens for calls that then use few: the rest is its own, and yet not to be sent."""
    town = Town(limits=KeyLimits(tpm=400), workers=4, seconds=30.0)
    await town.clock.advance(3)
    calls += [asyncio.ensure_future(town.call(0, tokens=100, used=1)) for _ in range(4)]
    await town.clock.advance(1)
    town.fail()
    await town.clock.advance(40)
    calls += [asyncio.ensure_future(town.call(number % 4, tokens=100)) for number in range(20)]
    await town.clock.advance(100)
    within(town, KeyLimits(tpm=400))
    assert len(town.journal) >= 8


async def test_a_worker_new_to_a_key_waits_for_those_who_sent_by_shares(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=4), workers=2, seconds=55.0)
    await town.clock.advance(3)
    town.fail()
    await town.clock.advance(62)
    calls += [asyncio.ensure_future(town.call(1)) for _ in range(2)]
    await town.clock.advance(1)
    assert town.running["k1"] == 2
    town.keepers[1].cancel()  # this one looks for the store a little later
    town.recover()
    await town.clock.advance(0.3)
    calls += [asyncio.ensure_future(town.call(0)) for _ in range(4)]
    await town.clock.advance(0.4)
    late = town.tasks.spawn(town.keep(town.leases[1]), "keep")
    await town.clock.advance(10)
    assert town.most_running["k1"] == 4
    late.cancel()


async def test_a_call_counts_from_its_end_since_the_upstream_may_see_it_then(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(rpm=4), workers=2, seconds=40.0, seed=2)
    calls += many(town, 100)
    await town.clock.advance(10 * MINUTE)
    assert town.worst("k1")[0] == 4
    assert len(town.journal) >= 20
