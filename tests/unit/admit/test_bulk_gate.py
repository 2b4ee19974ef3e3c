"""A worker whose processor is busy: what runs burns the clock's time, as work on an event loop does."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock, settled
from fakes.observer import FakeObserver
from fakes.spans import NO_HEADERS, Kept, tracing_of

from gateway.admit.bulk_gate import CALM_PROBES, PEOPLE_SECONDS, PROBE_SECONDS, BulkGate
from gateway.config.traces import Traces
from gateway.tasks import TaskGroup
from gateway.vocabulary import Facts, Lane, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class BusyClock(FakeClock):
    """Whoever sleeps is woken `late` seconds too late."""

    late = 0.0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.now += self.late


class Worker:
    """Bulk calls that run until they are let go; `late` is what a probe finds."""

    def __init__(self) -> None:
        self.clock = BusyClock()
        self.tasks = TaskGroup()
        self.gate = BulkGate(self.clock, FakeObserver(), self.tasks)
        self.running: list[tuple[str, asyncio.Event]] = []
        self.calls: list[asyncio.Task[None]] = []

    def ask(self, tenant: str = "job", lane: Lane = Lane.BULK, facts: Facts | None = None) -> asyncio.Task[None]:
        async def serving() -> None:
            ended = asyncio.Event()
            self.running.append((tenant, ended))
            try:
                await ended.wait()
            finally:
                self.running.remove((tenant, ended))

        call = asyncio.ensure_future(self.gate.through(lane, tenant, facts or Facts("embeddings", "1"), serving()))
        self.calls.append(call)
        return call

    async def pass_probes(self, count: int, late: float = 0.0) -> None:
        self.clock.late = late
        for _ in range(count):
            await self.clock.advance(PROBE_SECONDS + 2 * late)
        self.clock.late = 0.0

    async def end(self, count: int) -> None:
        await settled()
        for _, ended in self.running[:count]:
            ended.set()
        await settled()


def more_places(worker: Worker) -> None:
    worker.gate.places += 1
    worker.gate._open()


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    yield made
    for call in made.calls:
        call.cancel()
    await asyncio.gather(*made.calls, return_exceptions=True)
    await made.clock.advance(1)
    assert not made.tasks._tasks


async def test_interactive_calls_never_wait(worker: Worker) -> None:
    for _ in range(50):
        worker.ask(lane=Lane.INTERACTIVE)
    await settled()
    assert len(worker.running) == 50


async def test_places_grow_while_the_loop_is_in_time_and_calls_wait(worker: Worker) -> None:
    for _ in range(50):
        worker.ask()
    await settled()
    assert len(worker.running) == 4
    await worker.pass_probes(3 * CALM_PROBES)
    assert len(worker.running) == 7


async def test_places_do_not_grow_for_nobody(worker: Worker) -> None:
    worker.ask()
    await settled()
    await worker.pass_probes(100 * CALM_PROBES)
    assert worker.gate.places == 4


async def test_places_are_cut_while_the_loop_is_late_but_one_call_runs(worker: Worker) -> None:
    worker.ask(lane=Lane.INTERACTIVE)
    await worker.end(1)
    for _ in range(90):
        worker.ask()
    await settled()
    await worker.pass_probes(40 * CALM_PROBES)
    assert len(worker.running) == 44
    await worker.pass_probes(1, late=0.003)
    assert worker.gate.places == int(0.7 * 44)
    await worker.end(20)
    assert len(worker.running) == int(0.7 * 44)
    await worker.pass_probes(20, late=0.003)
    assert worker.gate.places == 1
    await worker.end(40)
    assert len(worker.running) == 1


async def test_bulk_has_the_processor_while_nobody_interactive_calls(worker: Worker) -> None:
    worker.ask(lane=Lane.INTERACTIVE)
    await worker.end(1)
    await worker.clock.advance(PEOPLE_SECONDS)
    for _ in range(9):
        worker.ask()
    await settled()
    await worker.pass_probes(5 * CALM_PROBES, late=0.1)
    assert len(worker.running) == 9
    worker.ask(lane=Lane.INTERACTIVE)
    await worker.pass_probes(10, late=0.1)
    assert worker.gate.places == 1


async def test_a_little_lateness_is_nothing(worker: Worker) -> None:
    worker.ask(lane=Lane.INTERACTIVE)
    await worker.end(1)
    for _ in range(5):
        worker.ask()
    await settled()
    await worker.pass_probes(20, late=0.0005)
    assert worker.gate.places >= 4


async def test_tenants_take_turns(worker: Worker) -> None:
    for _ in range(40):
        worker.ask("many")
    for _ in range(4):
        worker.ask("few")
    await settled()
    await worker.end(4)
    assert Counter(tenant for tenant, _ in worker.running) == {"many": 2, "few": 2}


async def test_waiting_is_seen_as_admission(worker: Worker) -> None:
    for _ in range(4):
        worker.ask()
    facts, kept = Facts("embeddings", "1"), Kept()
    facts.trace = tracing_of(Traces(endpoint="http://x", sample=1), kept, worker.clock).begin(NO_HEADERS, "POST", "")
    worker.ask(facts=facts)
    await worker.clock.advance(3 * PROBE_SECONDS)
    await worker.end(1)
    [(stage, seconds)] = facts.stages
    assert (stage, round(seconds, 6)) == (Stage.ADMIT, 3 * PROBE_SECONDS)
    assert facts.trace is not None
    facts.trace.answered(facts, "", 200)
    waited = kept.spans[0]
    assert (waited.name, round((waited.ended - waited.began) / 1e9, 6)) == ("admit", 3 * PROBE_SECONDS)


def gone(_: Worker, waits: asyncio.Task[None]) -> None:
    waits.cancel()


def gone_then_called(worker: Worker, waits: asyncio.Task[None]) -> None:
    waits.cancel()
    more_places(worker)


def called_then_gone(worker: Worker, waits: asyncio.Task[None]) -> None:
    more_places(worker)
    waits.cancel()


@pytest.mark.parametrize("hang_up", [gone, gone_then_called, called_then_gone])
async def test_who_hangs_up_leaves_no_place_taken(
    worker: Worker, hang_up: Callable[[Worker, asyncio.Task[None]], None]
) -> None:
    for _ in range(4):
        worker.ask()
    waits, behind = worker.ask(), worker.ask("other")
    await settled()
    hang_up(worker, waits)
    await settled()
    with pytest.raises(asyncio.CancelledError):
        await waits
    await worker.end(4)
    await worker.end(1)
    await behind
    assert (worker.gate._running, worker.gate._waiting) == (0, {})
