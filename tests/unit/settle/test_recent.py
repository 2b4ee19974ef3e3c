"""Rates, shares and latencies of the last minutes; and who tells them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock, settled
from fakes.live import FakeLive

from gateway.ports.live import SLOT_SECONDS
from gateway.settle.pulse import Pulse
from gateway.settle.recent import Recent, busiest, series, slot_of, stretch

if TYPE_CHECKING:
    from collections.abc import Mapping

BUCKETS = {"under:0.01": 50, "under:0.1": 90, "under:1.0": 100, "under:inf": 100}


def of(**amounts: int) -> Recent:
    return stretch({1: amounts}, 1, 2)


def test_amounts_become_rates_over_the_whole_stretch() -> None:
    slots: dict[int, Mapping[str, int]] = {
        1: {"requests": 10, "refused": 5},
        3: {"requests": 20, "saved_nanos": 3_000_000_000},
    }
    found = stretch(slots, 0, 4)
    assert (found.requests, found.refused, found.failed) == (30 / (4 * SLOT_SECONDS), 5 / (4 * SLOT_SECONDS), 0)
    assert found.saved_usd == pytest.approx(3 / (4 * SLOT_SECONDS))
    assert found.until == 4 * SLOT_SECONDS
    assert found.figures()["requests"] == found.requests


def test_a_share_and_a_latency_of_nothing_are_unknown() -> None:
    assert (of().hit_share, of().p50, of().p99) == (None, None, None)
    assert of(units=4, hits=1).hit_share == 0.25
    assert of(units=4).hit_share == 0.0


@pytest.mark.parametrize(
    ("buckets", "p50", "p99"),
    [
        (BUCKETS, 0.01, 0.91),
        ({"under:0.01": 0, "under:0.1": 10, "under:inf": 10}, 0.055, 0.0991),
        ({"under:0.01": 1, "under:inf": 10}, 0.01, 0.01),
        ({"under:0.01": 0, "under:inf": 0}, None, None),
    ],
)
def test_latencies_lie_evenly_within_a_bucket(buckets: dict[str, int], p50: float | None, p99: float | None) -> None:
    found = of(**buckets)
    assert found.p50 == pytest.approx(p50)
    assert found.p99 == pytest.approx(p99)


def test_a_series_ends_before_its_slot() -> None:
    points = series({7: {"requests": SLOT_SECONDS}, 10: {"requests": 999}}, 10, 3, 2)
    assert [point.until for point in points] == [6 * SLOT_SECONDS, 8 * SLOT_SECONDS, 10 * SLOT_SECONDS]
    assert [point.requests for point in points] == [0, 0.5, 0]


def test_the_busiest_tenants_come_first() -> None:
    slots = {1: {"t:a": 5, "t:b": 50, "t:c/d": 5, "tokens": 60}}
    assert busiest(slots, 1, 2, 2) == [("b", 50 / SLOT_SECONDS), ("a", 1.0)]


class Worker:
    """A pulse on a clock, of a worker whose amounts a test sets."""

    def __init__(self) -> None:
        self.live, self.clock = FakeLive(), FakeClock(1_003.0)
        self.amounts = {"requests": 100}
        self.pulse = Pulse(self.live, self.clock, self.tally, lambda: b"well")

    async def tally(self) -> dict[str, int]:
        return dict(self.amounts)


async def test_each_slot_is_told_once_and_only_what_is_new() -> None:
    worker = Worker()
    running = asyncio.create_task(worker.pulse.run())
    await settled()
    assert worker.live.words == {worker.pulse.name: b"well"}
    for done, seconds in ((3, 2), (0, 5), (4, 5)):
        worker.amounts["requests"] += done
        await worker.clock.advance(seconds)
    running.cancel()
    told = {slot: dict(amounts) for slot, amounts in worker.live.amounts.items()}
    assert told == {slot_of(1_000): {"requests": 3}, slot_of(1_010): {"requests": 4}}


async def test_what_the_store_did_not_hear_is_told_the_next_time() -> None:
    worker = Worker()
    await worker.pulse.beat()
    worker.live.down = True
    worker.amounts["requests"] += 3
    await worker.pulse.beat()
    worker.live.down = False
    worker.amounts["requests"] += 1
    await worker.pulse.beat()
    assert sum(amounts["requests"] for amounts in worker.live.amounts.values()) == 4
