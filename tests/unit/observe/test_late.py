"""Counts that are written a little later: nothing is lost, and who looks sees all."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest
from fakes.clock import FakeClock, settled
from prometheus_client import CollectorRegistry

from gateway.observe import late
from gateway.observe.histograms import Histogram
from gateway.observe.late import SECONDS, Counter, keep_written, write_owed


@pytest.fixture
def counter() -> Counter:
    write_owed()
    return Counter("calls", "Calls.", ("kind",), registry=CollectorRegistry())


def test_what_is_counted_is_kept_once_it_is_written(counter: Counter) -> None:
    child = counter.labels("a")
    child.inc()
    child.inc(2)
    assert child._value.get() == 0
    write_owed()
    write_owed()
    assert child._value.get() == 3
    assert not late.OWED


def test_who_looks_sees_what_is_owed_but_another_thread_leaves_it_alone(counter: Counter) -> None:
    child = counter.labels("a")
    seen: list[float] = []

    def look() -> None:
        seen.append(next(iter(child.collect())).samples[0].value)

    child.inc(2)
    other = Thread(target=look)
    other.start()
    other.join()
    look()
    write_owed()
    look()
    assert seen == [0, 2, 2]


def test_a_histogram_is_written_with_the_others() -> None:
    histogram = Histogram("seconds", "Seconds.", registry=CollectorRegistry())
    histogram.observe(0.5)
    histogram.observe(1.5)
    assert histogram._sum.get() == 0
    write_owed()
    assert histogram._sum.get() == 2.0


async def test_it_is_written_now_and_then_and_at_the_end(counter: Counter) -> None:
    clock, child = FakeClock(), counter.labels("a")
    keeping = asyncio.ensure_future(keep_written(clock))
    child.inc()
    await clock.advance(SECONDS)
    assert child._value.get() == 1
    child.inc()
    keeping.cancel()
    await settled()
    assert child._value.get() == 2
