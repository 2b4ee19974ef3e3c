from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.jobs import NO_ANSWERS, NO_LINES, FakeJobs

from gateway.errors import StoreError
from gateway.ports.jobs import Order, State, Step, Tally, Turn
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.jobs import RedisJobs
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports.jobs import Jobs

NOW = 1_800_000_000
DAY = 86_400
LEASE = 15.0
ONE = Order("batch_1", "search", "key-1", "a model", NOW, NOW + DAY, '{"task":"é"}', "", "https://example.com/hook")
TWO = Order("batch_2", "search", "key-1", "a model", NOW + 1, NOW + DAY, "{}", "https://example.com/input")
THREE = replace(TWO, id="batch_3", tenant="other", created=NOW + 2)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start=float(NOW))


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def jobs(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Jobs]:
    if request.param == "fake":
        yield FakeJobs(clock.monotonic)
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    yield RedisJobs(Line(client, tasks, 5.0), Keys("gw"), clock.milliseconds)
    await tasks.drain(5.0)
    await client.aclose()


async def taken(jobs: Jobs, at_once: int = 2) -> Turn:
    turn = await jobs.take(at_once, LEASE)
    assert turn is not None
    return turn


async def prepared(jobs: Jobs, order: Order, chunks: int) -> None:
    """The job, its input read."""
    assert await jobs.create(order, None, 10)
    turn = await taken(jobs)
    assert turn.step is Step.PREPARE
    assert await jobs.prepared(turn, chunks, chunks * 2) is State.PROCESSING


async def test_a_job_is_what_was_asked_and_pending(jobs: Jobs) -> None:
    assert await jobs.create(ONE, 3, 10)
    found = await jobs.get(ONE.id)
    assert found is not None
    assert (found.order, found.state, found.total, found.chunks) == (ONE, State.PENDING, 3, None)
    assert (found.tally, found.ended, found.error) == (Tally(), None, "")
    assert await jobs.get("batch_9") is None


async def test_jobs_are_listed_newest_first_by_tenant_and_altogether(jobs: Jobs, clock: FakeClock) -> None:
    for order in (ONE, TWO, THREE):
        await jobs.create(order, None, 10)
        clock.now += 1
    assert [batch.order.id for batch in await jobs.newest("search", 10)] == ["batch_2", "batch_1"]
    assert [batch.order.id for batch in await jobs.newest(None, 2)] == ["batch_3", "batch_2"]
    assert await jobs.newest("nobody", 10) == []


async def test_a_tenant_has_so_many_jobs_that_have_not_ended(jobs: Jobs) -> None:
    assert await jobs.create(ONE, None, 1)
    assert not await jobs.create(TWO, None, 1)
    assert await jobs.get(TWO.id) is None
    assert await jobs.create(THREE, None, 1)
    assert await jobs.end(ONE.id, State.CANCELLED)
    assert await jobs.create(TWO, None, 1)


async def test_a_jobs_life(jobs: Jobs, clock: FakeClock) -> None:
    await jobs.create(ONE, 4, 10)
    turn = await taken(jobs)
    assert (turn.step, turn.begun, turn.batch.order) == (Step.PREPARE, True, ONE)
    assert await jobs.take(2, LEASE) is None
    assert await jobs.prepared(turn, 2, 4) is State.PROCESSING
    chunks = [await taken(jobs), await taken(jobs)]
    assert [(turn.step, turn.chunk, turn.begun) for turn in chunks] == [(Step.CHUNK, 0, False), (Step.CHUNK, 1, False)]
    assert await jobs.take(2, LEASE) is None
    clock.now += 1
    assert await jobs.done(chunks[1], Tally(2, 0, 7)) is State.PROCESSING
    assert await jobs.done(chunks[0], Tally(1, 1, 5)) is State.COMPLETED
    found = await jobs.get(ONE.id)
    assert found is not None
    assert (found.state, found.total, found.chunks, found.ended) == (State.COMPLETED, 4, 2, NOW + 1)
    assert found.tally == Tally(3, 1, 12)
    tell = await taken(jobs)
    assert (tell.step, tell.batch.state) == (Step.TELL, State.COMPLETED)
    assert await jobs.take(2, LEASE) is None
    await jobs.settled(tell)
    clock.now += DAY - 2
    assert await jobs.take(2, LEASE) is None
    clock.now += 1
    expire = await taken(jobs)
    assert expire.step is Step.EXPIRE
    await jobs.settled(expire)
    assert await jobs.take(2, LEASE) is None
    found = await jobs.get(ONE.id)
    assert found is not None
    assert (found.state, found.ended, found.tally) == (State.EXPIRED, NOW + 1, Tally(3, 1, 12))


async def test_a_step_whose_worker_died_is_taken_again_after_its_lease(jobs: Jobs, clock: FakeClock) -> None:
    await prepared(jobs, ONE, 1)
    first = await taken(jobs)
    clock.now += LEASE - 1
    assert await jobs.keep(first, LEASE) is State.PROCESSING
    clock.now += LEASE - 1
    assert await jobs.take(2, LEASE) is None
    clock.now += 1
    again = await taken(jobs)
    assert (again.step, again.chunk) == (Step.CHUNK, 0)
    assert await jobs.keep(first, LEASE) is None
    assert await jobs.done(first, Tally(2)) is None
    await jobs.put_off(first, 0)
    assert await jobs.take(2, LEASE) is None
    assert await jobs.done(again, Tally(2)) is State.COMPLETED
    assert await jobs.done(first, Tally(2)) is None
    assert await jobs.keep(first, LEASE) is None
    found = await jobs.get(ONE.id)
    assert found is not None
    assert found.tally == Tally(2)


async def test_what_is_given_back_is_taken_at_once_or_after_a_while(jobs: Jobs, clock: FakeClock) -> None:
    await prepared(jobs, ONE, 3)
    first, second = await taken(jobs), await taken(jobs)
    assert await jobs.take(2, LEASE) is None
    await jobs.put_off(first, 0)
    assert (await taken(jobs)).chunk == 0
    await jobs.put_off(second, 5)
    assert await jobs.take(2, LEASE) is None  # it counts among the job's two
    clock.now += 5
    assert (await taken(jobs)).chunk == 1


async def test_jobs_take_turns(jobs: Jobs, clock: FakeClock) -> None:
    for order in (ONE, THREE):
        await jobs.create(order, None, 10)
    for chunks in (9, 2):
        clock.now += 1
        await jobs.prepared(await taken(jobs), chunks, chunks)
    served = []
    for _ in range(5):
        clock.now += 1
        served.append((await taken(jobs, 9)).batch.order.id)
    assert served == ["batch_1", "batch_3", "batch_1", "batch_3", "batch_1"]


async def test_a_cancelled_job_gives_no_more_steps_but_adds_what_was_at_work(jobs: Jobs, clock: FakeClock) -> None:
    await prepared(jobs, TWO, 3)
    first, second = await taken(jobs), await taken(jobs)
    assert await jobs.end(TWO.id, State.CANCELLED)
    assert not await jobs.end(TWO.id, State.FAILED, "no")
    assert await jobs.take(2, LEASE) is None
    assert await jobs.keep(first, LEASE) is State.CANCELLED
    assert await jobs.done(first, Tally(2, 0, 4)) is State.CANCELLED
    await jobs.put_off(second, 0)
    clock.now += LEASE
    assert await jobs.take(2, LEASE) is None
    found = await jobs.get(TWO.id)
    assert found is not None
    assert (found.state, found.tally, found.error) == (State.CANCELLED, Tally(2, 0, 4), "")
    assert not await jobs.end("batch_9", State.CANCELLED)
    await prepared(jobs, THREE, 1)
    last = await taken(jobs)
    await jobs.end(THREE.id, State.CANCELLED)
    assert await jobs.done(last, Tally(2, 0, 4)) is State.CANCELLED
    found = await jobs.get(THREE.id)
    assert found is not None
    assert (found.state, found.tally) == (State.CANCELLED, Tally(2, 0, 4))


async def test_a_failed_job_says_why_and_is_told(jobs: Jobs) -> None:
    await prepared(jobs, ONE, 3)
    turn = await taken(jobs)
    assert await jobs.end(ONE.id, State.FAILED, "no money: é")
    await jobs.put_off(turn, 0)
    tell = await taken(jobs)
    assert (tell.step, tell.batch.state, tell.batch.error) == (Step.TELL, State.FAILED, "no money: é")


async def test_an_end_is_told_again_when_its_teller_died(jobs: Jobs, clock: FakeClock) -> None:
    await jobs.create(ONE, None, 10)
    await jobs.end(ONE.id, State.CANCELLED)
    assert (await taken(jobs)).step is Step.TELL
    clock.now += LEASE
    tell = await taken(jobs)
    assert tell.step is Step.TELL
    await jobs.put_off(tell, 3)
    assert await jobs.take(2, LEASE) is None
    clock.now += 3
    await jobs.settled(await taken(jobs))
    clock.now += LEASE
    assert await jobs.take(2, LEASE) is None


async def test_a_job_without_lines_or_without_answers_failed(jobs: Jobs) -> None:
    await jobs.create(TWO, None, 10)
    assert await jobs.prepared(await taken(jobs), 0, 0) is State.FAILED
    await prepared(jobs, THREE, 1)
    assert await jobs.done(await taken(jobs), Tally(0, 2)) is State.FAILED
    for name, error in (("batch_2", NO_LINES), ("batch_3", NO_ANSWERS)):
        found = await jobs.get(name)
        assert found is not None
        assert (found.state, found.error) == (State.FAILED, error)


async def test_what_has_not_ended_expires_too_and_is_told(jobs: Jobs, clock: FakeClock) -> None:
    await prepared(jobs, ONE, 3)
    late = await taken(jobs)
    clock.now += DAY
    assert await jobs.keep(late, LEASE) is State.PROCESSING
    expire = await taken(jobs)
    assert expire.step is Step.EXPIRE
    await jobs.settled(expire)
    assert await jobs.done(late, Tally(2)) is None
    tell = await taken(jobs)
    assert (tell.step, tell.batch.state) == (Step.TELL, State.EXPIRED)
    await jobs.settled(tell)
    clock.now += LEASE
    assert await jobs.take(2, LEASE) is None
    assert await jobs.create(TWO, None, 1)


async def test_an_input_that_two_have_read_counts_once(jobs: Jobs, clock: FakeClock) -> None:
    await jobs.create(TWO, None, 10)
    slow = await taken(jobs)
    clock.now += LEASE
    quick = await taken(jobs)
    assert await jobs.prepared(quick, 2, 4) is State.PROCESSING
    assert await jobs.prepared(slow, 3, 6) is None
    found = await jobs.get(TWO.id)
    assert found is not None
    assert (found.chunks, found.total) == (2, 4)


async def test_a_damaged_record_is_said_to_be(jobs: Jobs) -> None:
    if isinstance(jobs, FakeJobs):
        jobs.down = True
    else:
        assert isinstance(jobs, RedisJobs)
        await jobs._line.ask("HSET", Keys("gw").job(ONE.id)[0], "order", "[", "state", "pending")
    with pytest.raises(StoreError):
        await jobs.get(ONE.id)
