"""Two processes (two InFlights) on one store, on a virtual clock."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from fakes.answers import FakeAnswers
from fakes.claims import FakeClaims
from fakes.clock import FakeClock, settled
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.in_flight import InFlight
from gateway.dispatch.order import Found
from gateway.errors import Code, FieldError, GatewayError, invalid_request, service_timeout, service_unavailable
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, Fresh, ItemKey, Plan, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LATE = service_timeout(60)
BAD = invalid_request((FieldError("body -> input", "too long", "value_error"),))


def plan_of(names: Sequence[int], *, storable: bool = True) -> Plan:
    """All missing, all different."""
    keys = tuple(ItemKey(name.to_bytes(16, "little"), name.to_bytes(16, "big")) for name in names)
    return Plan(keys, {}, tuple(range(len(keys))), storable=storable)


def answer(name: int) -> Answer:
    return Answer(Shape.DENSE, struct.pack("<f", name), 1, 1)


class Process:
    """A worker: its flights and its tasks."""

    def __init__(self, town: Town) -> None:
        self.tasks = TaskGroup()
        self.in_flight = InFlight(town.claims, town.clock, self.tasks, 10.0)
        self._town = town

    async def ask(self, *names: int, seconds: float = 60.0, storable: bool = True) -> Fresh:
        plan = plan_of(names, storable=storable)

        async def fill(positions: Sequence[int], sent: Callable[[], None]) -> Found:
            sent()
            fresh = {position: answer(names[position]) for position in positions}
            await self._town.backend([names[position] for position in positions])
            if storable:
                await self._town.answers.put([(plan.keys[position], made) for position, made in fresh.items()])
            return Found(fresh)

        return await self.in_flight.run(plan, self._town.clock.monotonic() + seconds, LATE, fill)


class Town:
    """The store that processes share, and a backend that takes 50 ms a call."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.answers = FakeAnswers(ttl_seconds=1e9)
        self.claims = FakeClaims(self.answers, self.clock.monotonic)
        self.asked: Counter[int] = Counter()
        self.failures: list[GatewayError] = []
        self.took = 0.05

    async def backend(self, names: list[int]) -> None:
        self.asked.update(names)
        await self.clock.sleep(self.took)
        if self.failures:
            raise self.failures.pop()


requests = st.lists(
    st.tuples(st.integers(0, 1), st.lists(st.integers(0, 6), min_size=1, max_size=5, unique=True), st.floats(0, 0.2)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(requests)
def test_whatever_overlaps_each_input_is_asked_once_and_everybody_gets_their_own(
    asked: list[tuple[int, list[int], float]],
) -> None:
    async def run() -> None:
        town = Town()
        processes = [Process(town), Process(town)]

        async def later(process: int, names: list[int], wait: float) -> tuple[list[int], Fresh]:
            await town.clock.sleep(wait)
            return names, await processes[process].ask(*names)

        running = [asyncio.create_task(later(*request)) for request in asked]
        await town.clock.advance(5)
        for task in running:
            names, fresh = await task
            assert [fresh.answers[at] for at in range(len(names))] == [answer(name) for name in names]
        everything = {name for _, names, _ in asked for name in names}
        assert town.asked == Counter(everything)
        paid = sum(len(task.result()[1].answers) - len(task.result()[1].shared) for task in running)
        assert paid == len(everything)

    asyncio.run(run())


async def test_a_filler_whose_client_hangs_up_still_fills() -> None:
    town = Town()
    process = Process(town)
    first = asyncio.create_task(process.ask(1))
    await settled()
    second = asyncio.create_task(process.ask(1))
    await settled()
    first.cancel()
    await town.clock.advance(1)
    assert (await second).answers == {0: answer(1)}
    assert town.asked == {1: 1}


async def test_a_filler_that_dies_is_taken_over_once() -> None:
    town = Town()
    dying, *others = (Process(town) for _ in range(3))
    town.took = 1_000.0
    first = asyncio.create_task(dying.ask(1))
    await settled()
    followers = [asyncio.create_task(process.ask(1)) for process in others]
    await town.clock.advance(1)
    assert town.asked == {1: 1}
    town.took = 0.05
    for task in list(dying.tasks._tasks):
        task.cancel()  # SIGKILL: nothing is released
    town.claims.down = True
    await settled()
    town.claims.down = False
    await town.clock.advance(15)
    assert [(await follower).answers for follower in followers] == [{0: answer(1)}] * 2
    assert town.asked == {1: 2}
    with pytest.raises(GatewayError):
        await first


async def test_claims_are_kept_while_the_backend_takes_long() -> None:
    town = Town()
    one, other = Process(town), Process(town)
    town.took = 45.0
    asked = [asyncio.create_task(process.ask(1)) for process in (one, other)]
    await town.clock.advance(50)
    assert [(await task).answers for task in asked] == [{0: answer(1)}] * 2
    assert town.asked == {1: 1}


async def test_a_failure_is_shared_once_and_not_remembered() -> None:
    town = Town()
    process = Process(town)
    town.failures = [service_unavailable("busy")]
    asked = [asyncio.create_task(process.ask(1)) for _ in range(3)]
    await town.clock.advance(1)
    for task in asked:
        with pytest.raises(GatewayError, match="busy"):
            await task
    again = asyncio.create_task(process.ask(1))
    await town.clock.advance(1)
    assert (await again).answers == {0: answer(1)}
    assert town.asked == {1: 2}


async def test_a_refused_list_is_refused_again_for_a_while_without_asking() -> None:
    town = Town()
    process = Process(town)
    town.failures = [BAD]
    for _ in range(2):
        refused = asyncio.create_task(process.ask(1, 2))
        await town.clock.advance(1)
        with pytest.raises(GatewayError) as raised:
            await refused
        assert raised.value.errors == BAD.errors
    assert town.asked == {1: 1, 2: 1}
    part = asyncio.create_task(process.ask(2))
    await town.clock.advance(11)
    assert (await part).answers == {0: answer(2)}
    whole = asyncio.create_task(process.ask(1, 2))
    await town.clock.advance(1)
    assert len((await whole).answers) == 2


async def test_nobody_waits_past_their_own_deadline_and_who_has_time_left_takes_over() -> None:
    town = Town()
    process = Process(town)
    town.took = 2.0
    town.failures = [service_timeout(1)]
    first = asyncio.create_task(process.ask(1, seconds=1.0))
    patient = asyncio.create_task(process.ask(1))
    await town.clock.advance(5)
    with pytest.raises(GatewayError) as raised:
        await first
    assert raised.value.code is Code.SERVICE_TIMEOUT
    assert (await patient).answers == {0: answer(1)}
    assert town.asked == {1: 2}


async def test_without_the_store_everything_is_answered() -> None:
    town = Town()
    town.claims.down = True
    asked = [asyncio.create_task(Process(town).ask(1)) for _ in range(2)]
    await town.clock.advance(1)
    assert [(await task).answers for task in asked] == [{0: answer(1)}] * 2


async def test_what_may_not_be_stored_is_not_shared() -> None:
    town = Town()
    process = Process(town)
    asked = [asyncio.create_task(process.ask(1, storable=False)) for _ in range(2)]
    await town.clock.advance(1)
    assert [(await task).shared for task in asked] == [frozenset()] * 2
    assert town.asked == {1: 2}


async def test_a_refused_list_says_nothing_about_another_list() -> None:
    town = Town()
    process = Process(town)
    town.failures = [BAD]
    refused = asyncio.create_task(process.ask(1, 2))
    await settled()
    other = asyncio.create_task(process.ask(1))
    await town.clock.advance(5)
    with pytest.raises(GatewayError):
        await refused
    assert (await other).answers == {0: answer(1)}
    assert town.asked == {1: 2, 2: 1}


async def test_who_has_less_time_than_the_filler_does_not_wait_for_it() -> None:
    town = Town()
    process = Process(town)
    town.took = 30.0
    first = asyncio.create_task(process.ask(1))
    await settled()
    with pytest.raises(GatewayError) as raised:
        await process.ask(1, seconds=0.01)
    assert raised.value.code is Code.SERVICE_TIMEOUT
    await town.clock.advance(40)
    assert (await first).answers == {0: answer(1)}
    assert town.asked == {1: 1}
