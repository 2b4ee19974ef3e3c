"""The batcher's written promises (gateway/dispatch/batching.py), on a virtual clock, with a backend of 20 ms a call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from fakes.clock import FakeClock, settled
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.dialect import CallLimits
from gateway.dispatch.batcher import Batcher
from gateway.dispatch.batching import AT_ONCE
from gateway.dispatch.order import Want
from gateway.errors import GatewayError
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from gateway.dispatch.order import Order

CALL = 0.02
WINDOW = 0.002
MOST = 32


@dataclass
class Backend:
    """Counts its calls, and how many run at once."""

    clock: FakeClock = field(default_factory=FakeClock)
    calls: list[list[int]] = field(default_factory=list)
    running: int = 0
    peak: int = 0
    broken: bool = False
    cut_off: int = 0

    def __post_init__(self) -> None:
        self.tasks = TaskGroup()
        self.batcher: Batcher[int] = Batcher(self.clock, self.tasks, self._send)
        self.waits: list[float] = []

    async def _send(self, wanted: tuple[Want, ...]) -> dict[Want, int]:
        self.calls.append([want.position for want in wanted])
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.clock.sleep(CALL)
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self.running -= 1
        if self.broken:
            raise RuntimeError("a defect")
        return {want: want.position * 10 for want in wanted}

    async def ask(self, *names: int, kind: str = "k", limits: CallLimits = CallLimits()) -> list[int]:  # noqa: B008 - immutable
        wanted = tuple(Want(cast("Order", None), name, 1, 1) for name in names)
        started = self.clock.now
        results = await self.batcher.join(kind, wanted, limits, MOST, WINDOW)
        self.waits.append(self.clock.now - started)
        return [results[want] for want in wanted]


async def test_a_thousand_single_texts_become_few_calls_and_nobody_waits_long() -> None:
    backend = Backend()
    asked = [asyncio.create_task(backend.ask(name)) for name in range(1_000)]
    await backend.clock.advance(5)
    assert [await one for one in asked] == [[name * 10] for name in range(1_000)]
    assert len(backend.calls) <= 40
    assert backend.peak == AT_ONCE


async def test_nobody_waits_longer_than_one_call_and_the_window() -> None:
    backend = Backend()
    asked = []
    for name in range(400):  # 1,000 a second: never more than a batch waits
        asked.append(asyncio.create_task(backend.ask(name)))
        await backend.clock.advance(0.001)
    await backend.clock.advance(1)
    await asyncio.gather(*asked)
    assert max(backend.waits) <= WINDOW + 2 * CALL + 1e-6  # its own call, and the one before
    assert len(backend.calls) < 60


async def test_a_lone_call_waits_for_the_window_only() -> None:
    backend = Backend()
    alone = asyncio.create_task(backend.ask(1))
    await backend.clock.advance(1)
    assert await alone == [10]
    assert backend.waits == [pytest.approx(WINDOW + CALL)]


async def test_a_full_batch_does_not_wait_for_the_window() -> None:
    backend = Backend()
    full = asyncio.create_task(backend.ask(*range(MOST)))
    await settled()
    assert [len(call) for call in backend.calls] == [MOST]
    await backend.clock.advance(1)
    await full


async def test_kinds_do_not_mix() -> None:
    backend = Backend()
    asked = [asyncio.create_task(backend.ask(name, kind=f"k{name % 2}")) for name in range(10)]
    await backend.clock.advance(1)
    await asyncio.gather(*asked)
    assert sorted(map(sorted, backend.calls)) == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


async def test_whoever_goes_away_leaves_the_batch_and_takes_nobody_along() -> None:
    backend = Backend()
    gone, stays = asyncio.create_task(backend.ask(1)), asyncio.create_task(backend.ask(2))
    await settled()
    gone.cancel()
    await backend.clock.advance(1)
    assert await stays == [20]
    assert backend.calls == [[2]]


async def test_a_call_that_nobody_waits_for_any_more_is_broken_off() -> None:
    backend = Backend()
    asked = [asyncio.create_task(backend.ask(name)) for name in range(3)]
    await backend.clock.advance(WINDOW * 2)
    for one in asked[:2]:
        one.cancel()
    await settled()
    assert (backend.running, backend.cut_off) == (1, 0)
    asked[2].cancel()
    await settled()
    assert (backend.running, backend.cut_off) == (0, 1)
    later = asyncio.create_task(backend.ask(7))
    await backend.clock.advance(1)
    assert await later == [70]


async def test_a_defect_reaches_everybody_and_the_next_batch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    backend = Backend(broken=True)
    asked = [asyncio.create_task(backend.ask(name)) for name in range(3)]
    await backend.clock.advance(1)
    for one in asked:
        with pytest.raises(GatewayError):
            await one
    assert "micro-batch" in caplog.text
    backend.broken = False
    later = asyncio.create_task(backend.ask(7))
    await backend.clock.advance(1)
    assert await later == [70]


@given(
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(1, 8), st.booleans()), max_size=60),
    st.integers(8, 40),
)
@settings(max_examples=60, deadline=None)
async def test_everybody_gets_their_own_whole_and_in_order(
    arrivals: list[tuple[float, int, bool]], tokens: int
) -> None:
    backend = Backend()
    limits = CallLimits(tokens=tokens)
    asked: list[tuple[asyncio.Task[list[int]], list[int], bool]] = []
    name = 0
    for wait, size, hangs_up in arrivals:
        names = list(range(name, name + size))
        name += size
        asked.append((asyncio.create_task(backend.ask(*names, limits=limits)), names, hangs_up))
        await backend.clock.advance(wait)
        if hangs_up:
            asked[-1][0].cancel()
    await backend.clock.advance(10)
    for task, names, hangs_up in asked:
        if not hangs_up:
            assert await task == [each * 10 for each in names]
    sent = [each for call in backend.calls for each in call]
    assert sent == sorted(sent)
    assert len(sent) == len(set(sent))
    assert all(len(call) <= min(MOST, tokens) for call in backend.calls)
    assert backend.peak <= AT_ONCE
    assert all(any(set(names) <= set(call) for call in backend.calls) for _, names, gone in asked if not gone)
    assert not backend.batcher._kinds
