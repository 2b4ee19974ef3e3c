from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock

from gateway.app.slack import LOOK_SECONDS, WORTH_BYTES, Heap, Slack, heap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = 100_000_000


class Process:
    """What a process holds: `used`, and `free` beside it until it is trimmed; `busy` is its share of a processor."""

    def __init__(self, clock: FakeClock) -> None:
        self.used, self.free, self.busy, self.trims = START, 0, 0.0, 0
        self.stays_free = False
        self._clock = clock

    def trim(self) -> None:
        self.trims += 1
        self.free = self.free if self.stays_free else 0

    def heap(self) -> Heap:
        return Heap(lambda: self.free, self.trim, lambda: self.used + self.free, lambda: self._clock.now * self.busy)


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Process, FakeClock]]:
    clock = FakeClock()
    process = Process(clock)
    task = asyncio.create_task(Slack(clock, process.heap()).run())
    await looked(clock)
    assert process.trims == 0
    yield process, clock
    task.cancel()
    await asyncio.wait([task])


async def looked(clock: FakeClock, times: int = 1) -> None:
    for seconds in [0.0, *[LOOK_SECONDS] * times]:
        await clock.advance(seconds)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)  # behind the look in its thread
        await clock.advance(0)


async def test_what_a_quiet_worker_holds_free_is_given_back_once() -> None:
    async with watched() as (process, clock):
        process.free = WORTH_BYTES
        await looked(clock, 3)
        assert (process.free, process.trims) == (0, 1)
        process.free = 2 * WORTH_BYTES
        await looked(clock, 3)
        assert (process.free, process.trims) == (0, 2)


async def test_what_it_held_at_its_start_is_what_it_grows_from() -> None:
    clock = FakeClock()
    process = Process(clock)
    task = asyncio.create_task(Slack(clock, process.heap()).run())
    await looked(clock, 0)
    process.free = WORTH_BYTES
    await looked(clock)
    task.cancel()
    await asyncio.wait([task])
    assert process.trims == 1


async def test_what_was_in_use_when_it_last_gave_back_goes_once_it_is_free() -> None:
    async with watched() as (process, clock):
        process.used, process.free = START + 4 * WORTH_BYTES, WORTH_BYTES
        await looked(clock, 2)
        assert process.trims == 1
        process.used, process.free = START, 4 * WORTH_BYTES
        await looked(clock, 3)
        assert (process.free, process.trims) == (0, 2)


async def test_what_was_given_back_is_not_given_back_again_though_it_counts_as_free() -> None:
    async with watched() as (process, clock):
        process.stays_free = True
        process.free = 4 * WORTH_BYTES
        await looked(clock, 3)
        assert process.trims == 1


async def test_a_busy_worker_keeps_it_until_it_has_little_to_do() -> None:
    async with watched() as (process, clock):
        process.free, process.busy = 10 * WORTH_BYTES, 0.5
        await looked(clock)  # the look that began before, and ends as if it had been busy all its life
        await looked(clock, 3)
        assert process.trims == 0
        process.busy = 0.1
        await looked(clock, 3)
        assert process.trims == 1


@pytest.mark.parametrize(("used", "free"), [(0, WORTH_BYTES - 1), (WORTH_BYTES, 0), (4 * WORTH_BYTES, WORTH_BYTES - 1)])
async def test_little_that_is_free_and_much_that_is_used_are_left_alone(used: int, free: int) -> None:
    async with watched() as (process, clock):
        process.used, process.free = START + used, free
        await looked(clock, 3)
        assert process.trims == 0


async def test_without_such_a_library_nothing_runs() -> None:
    await asyncio.wait_for(Slack(FakeClock(), None).run(), 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_the_librarys_own_figures_follow_what_is_done() -> None:
    known = heap()
    if known is None:
        pytest.skip("another library than glibc, or an older one")
    held = [bytes(50_000) for _ in range(1_000)]
    before = known.free()
    del held[::2]
    assert known.free() - before == pytest.approx(25_000_000, rel=0.1)
    known.trim()
    assert known.resident() > 0
    assert known.spent() > 0
