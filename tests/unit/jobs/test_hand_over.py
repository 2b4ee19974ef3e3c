"""Jobs from worker to worker, and to their end, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from fakes.batches import LEASE, Engine
from fakes.clock import settled
from fakes.jina_upstream import Fault

from gateway.config.jobs import Jobs
from gateway.config.schema import Cache, Tier
from gateway.ports.jobs import State, Tally
from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_a_worker_that_dies_is_replaced_after_its_lease(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add(*"abcdefgh")
    engine.begin()
    gate = Fault(seconds=1)
    engine.gateway.upstream.faults.append(gate)
    await engine.pass_time(0.5)
    await engine.kill()
    engine.gateway.upstream.faults.clear()
    left = engine.batch()
    engine.begin()
    await engine.pass_time(LEASE - 3)
    assert engine.batch().state is State.PROCESSING or left.state is State.COMPLETED
    await engine.pass_time(LEASE)
    assert engine.ids("output") == list("abcdefgh")
    assert engine.batch().tally == Tally(8, 0, 8)


async def test_results_in_files_that_were_not_marked_are_taken_even_without_a_cache(
    make: Callable[..., Engine],
) -> None:
    engine = make(cache=Cache(scope=CacheScope.OFF))
    await engine.add("a", "b")
    engine.begin()
    real = engine.jobs.done

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    engine.jobs.done = never  # type: ignore[method-assign, assignment]
    await engine.pass_time(2)
    assert engine.read("output")
    await engine.kill()
    engine.jobs.done = real  # type: ignore[method-assign]
    engine.begin()
    await engine.pass_time(LEASE + 2)
    assert engine.batch().tally == Tally(2, 0, 2)
    assert len(engine.gateway.upstream.calls) == 1


async def test_a_store_that_is_away_is_told_when_it_is_back(make: Callable[..., Engine]) -> None:
    engine = make(cache=Cache(scope=CacheScope.OFF))
    await engine.add("a", "b", "c", "d")
    real = engine.files.put

    async def put(name: str, content: bytes) -> None:
        await real(name, content)
        engine.jobs.down = engine.jobs.down or "tally" in name

    engine.files.put = put  # type: ignore[method-assign]
    engine.begin()
    await engine.pass_time(4)
    engine.files.put = real  # type: ignore[method-assign]
    engine.jobs.down = False
    await engine.pass_time(4)
    assert engine.batch().tally == Tally(4, 0, 4)
    assert Counter(engine.gateway.upstream.inputs) == Counter("abcd")
    assert " StoreError" in engine.watch.troubles


async def test_a_cancelled_job_sends_nothing_more(make: Callable[..., Engine]) -> None:
    engine = make(tiers={"small": Tier(rpm=1, tpm=1_000, concurrency=9)})
    await engine.add("a", "b", "c", "d", "e", "f", webhook_url="https://example.com/hook")
    engine.begin()
    await engine.pass_time(3)
    assert await engine.jobs.end("batch_1", State.CANCELLED)
    await engine.pass_time(200, 5)
    assert (engine.batch().state, engine.batch().tally) == (State.CANCELLED, Tally(2, 0, 2))
    assert len(engine.gateway.upstream.calls) == 1
    assert [event for _, _, event, _ in engine.events.got] == ["batch.cancelled"]


async def test_a_stopping_worker_gives_back_at_once_what_is_at_work(make: Callable[..., Engine]) -> None:
    engine = make()
    gate = asyncio.Event()
    engine.gateway.upstream.faults.extend(Fault(gate=gate) for _ in range(2))
    await engine.add("a", "b", "c", "d")
    runner = engine.begin()
    await engine.pass_time(2)
    assert await engine.jobs.take(2, LEASE) is None
    await runner.drain(0)
    engine.begin()
    await engine.pass_time(1)
    gate.set()
    await engine.pass_time(1)
    assert engine.batch().state is State.COMPLETED
    assert Counter(engine.gateway.upstream.inputs) == Counter("abcd")


async def test_a_stopping_worker_lets_a_call_end_in_time(make: Callable[..., Engine]) -> None:
    engine = make()
    gate = asyncio.Event()
    engine.gateway.upstream.faults.extend(Fault(gate=gate) for _ in range(2))
    await engine.add("a", "b", "c", "d", "e", "f")
    runner = engine.begin()
    await engine.pass_time(2)
    draining = asyncio.create_task(runner.drain(60))
    await settled()
    gate.set()
    await draining
    assert engine.batch().tally == Tally(4, 0, 4)
    await engine.pass_time(5)
    assert engine.batch().state is State.PROCESSING


async def test_a_stopping_worker_waits_for_no_slot_that_has_nothing_to_do(make: Callable[..., Engine]) -> None:
    engine = make(Jobs(slots=2))
    runner = engine.begin()
    await engine.pass_time(2)
    draining = asyncio.create_task(runner.drain(60))
    await settled()
    assert draining.done()
    assert not [task for task in engine.running if "slot" in task.get_name() and not task.done()]


async def test_a_job_expires_and_leaves_no_file(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add("a", expires=engine.clock.epoch() + 100)
    engine.begin()
    await engine.pass_time(2)
    assert engine.files.kept
    await engine.pass_time(96)
    assert engine.files.kept
    await engine.pass_time(3)
    assert (engine.batch().state, engine.files.kept) == (State.EXPIRED, {})
    assert engine.watch.moves[-1][1] is State.EXPIRED


async def test_a_gateway_may_leave_the_work_to_others(make: Callable[..., Engine]) -> None:
    engine = make(Jobs(slots=0))
    await engine.add("a")
    runner = engine.begin()
    assert not engine.running
    await runner.drain(1)
    await engine.pass_time(5)
    assert engine.batch().state is State.PENDING
