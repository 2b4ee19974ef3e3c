"""C: many calls of many tenants through several workers to one upstream, judged by the upstream's own journal."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from fakes.clock import settled
from fakes.shaped_worker import Town, many

from gateway.config.backends import KeyLimits
from gateway.vocabulary import Lane

MINUTE = 60.0


@pytest.mark.parametrize(
    ("keys", "limits", "seconds", "tokens", "used"),
    [
        (("k1",), KeyLimits(rpm=60), 0.5, 10, 10),
        (("k1",), KeyLimits(tpm=1_200), 0.5, 40, 10),
        (("k1",), KeyLimits(rpm=120, tpm=1_000, concurrency=4), 1.0, 10, 10),
        (("k1", "k2", "k3"), KeyLimits(rpm=30), 0.5, 10, 10),
        (("k1",), KeyLimits(concurrency=3), 2.0, 10, 10),
    ],
    ids=["requests", "tokens estimated too high", "all", "pooled", "concurrency"],
)
async def test_four_workers_use_what_is_allowed_and_never_more(  # noqa: PLR0913, PLR0917 - a table's columns
    calls: list[asyncio.Task[bool]],
    keys: tuple[str, ...],
    limits: KeyLimits,
    seconds: float,
    tokens: int,
    used: int,
) -> None:
    town = Town(keys, limits, workers=4, seconds=seconds, seed=7)
    calls += many(town, 1_000, tokens=tokens, used=used)
    minutes = 5
    await town.clock.advance(minutes * MINUTE)
    assert not town.late
    possible = []
    for key in keys:
        calls_seen, tokens_seen = town.worst(key)
        assert calls_seen <= (limits.rpm or 1e9)
        assert tokens_seen <= (limits.tpm or 1e9)
        assert town.most_running[key] <= (limits.concurrency or 1e9)
        by_slots = (limits.concurrency or 1e9) * MINUTE / seconds
        possible.append(minutes * min(limits.rpm or 1e9, (limits.tpm or 1e9) / used, by_slots))
    assert len(town.served) >= 0.9 * min(sum(possible), 1_000)


async def test_nothing_is_refused_while_there_is_time(calls: list[asyncio.Task[bool]]) -> None:
    """60 a minute are allowed, and 55 a minute come in bursts: each waits, and each is answered."""
    town = Town(limits=KeyLimits(rpm=60), workers=4, seed=3)
    for minute in range(4):
        calls += many(town, 55, tenant=f"t{minute % 2}", patience=100)
        await town.clock.advance(MINUTE)
    await town.clock.advance(2 * MINUTE)
    assert not town.late
    assert len(town.served) == 220


async def test_tenants_share_by_weight_and_a_single_call_waits_for_one(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=1), seconds=1.0)
    calls += many(town, 300, "light", weight=1.0) + many(town, 300, "heavy", weight=3.0)
    await town.clock.advance(200)
    shares = Counter(town.served)
    assert shares["heavy"] == pytest.approx(3 * shares["light"], rel=0.1)
    before = len(town.served)
    calls += many(town, 1, "single")
    await town.clock.advance(5)
    assert "single" in town.served[before : before + 3]


async def test_bulk_takes_what_is_left_and_its_share(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(concurrency=1), seconds=1.0)
    calls += [asyncio.ensure_future(town.call(0, "batch", lane=Lane.BULK)) for _ in range(100)]
    calls += many(town, 190, "people")
    await town.clock.advance(200.5)
    assert 9 <= Counter(town.served)["batch"] <= 12
    await town.clock.advance(100)
    assert Counter(town.served) == {"batch": 100, "people": 190}


async def test_pooled_keys_share_the_load(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(keys=("k1", "k2", "k3"), limits=KeyLimits(rpm=100))
    calls += many(town, 90)
    await town.clock.advance(1)
    assert Counter(entry.key for entry in town.journal) == {"k1": 30, "k2": 30, "k3": 30}


async def test_without_limits_nobody_is_asked_and_calls_at_once_are_bounded_fairly(
    calls: list[asyncio.Task[bool]],
) -> None:
    town = Town(seconds=1.0, local_concurrency=2)
    calls += many(town, 2, "flood")
    await settled()
    assert not town.observer.queued
    calls += [*many(town, 100, "flood", queue_timeout=1.0), *many(town, 1, "single")]
    await town.clock.advance(3.1)
    assert "single" in town.served[:5]
    assert not town.late
    assert (town.pauses.asked, town.most_running["k1"]) == (0, 2)


async def test_a_call_larger_than_a_minute_goes_alone(calls: list[asyncio.Task[bool]]) -> None:
    town = Town(limits=KeyLimits(tpm=100))
    calls += [*many(town, 1, "large", tokens=5_000), *many(town, 1, "small", tokens=10)]
    await town.clock.advance(30)
    assert town.served == ["large"]
    await town.clock.advance(60)
    assert town.served == ["large", "small"]
