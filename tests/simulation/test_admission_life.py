"""C: requests over several workers on a virtual clock: they end, fail, are cancelled, die; the store fails, forgets."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fakes.clock import settled
from fakes.parking import Gatehouse, Worker
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.vocabulary import Charge, Facts, Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Coroutine

CONCURRENCY, REQUESTS, TOKENS = 3, 12, 200
METER = Meter("t", Scope.TENANT, Limits(REQUESTS, TOKENS, CONCURRENCY))
WORKERS = 3
WINDOW = 60.0

fates = st.sampled_from(["ends", "fails", "cancelled"])
requests = st.tuples(
    st.just("request"), st.integers(0, WORKERS - 1), st.integers(0, 40), fates, st.integers(0, 90), st.integers(0, 90)
)
waits = st.tuples(st.just("wait"), st.integers(0, 20), st.just(0), st.just(""), st.just(0), st.just(0))
kills = st.tuples(st.just("kill"), st.integers(0, WORKERS - 1), st.just(0), st.just(""), st.just(0), st.just(0))
outages = st.tuples(
    st.just("outage"), st.integers(0, 90), st.just(0), st.sampled_from(["kept", "lost"]), st.just(0), st.just(0)
)
losses = st.tuples(st.just("no reply"), st.integers(1, 3), st.just(0), st.just(""), st.just(0), st.just(0))
Step = tuple[str, int, int, str, int, int]


class Simulation:
    """Workers on one store, who is inside now, and when whoever was counted came in: the client's own journal."""

    def __init__(self) -> None:
        self.house = Gatehouse(METER)
        self.workers = [self.house.worker() for _ in range(WORKERS)]
        self.keepers = [_start(worker.leases.keep()) for worker in self.workers]
        self.inside: dict[int, int] = {}
        self.most_inside = 0
        self.counted: list[tuple[float, int]] = []
        self.running: list[tuple[Worker, asyncio.Task[None]]] = []

    async def begin(self) -> None:
        for worker in self.workers:
            await worker.leases.tick()

    async def request(self, worker: Worker, seconds: int, fate: str, reserved: int, used: int) -> None:
        house = self.house
        with suppress(GatewayError, ValueError):
            async with worker.admission.reserve((METER,), Facts("embeddings", "r")) as reservation:
                entered = house.clock.now
                await self._work(worker, 0)
                await reservation.cover(reserved)
                self.counted.append((entered, min(used, reserved) if fate == "ends" else 0))
                await self._work(worker, seconds)
                if fate == "fails":
                    raise ValueError
                reservation.record(Charge(used, used), min(used, reserved))

    async def _work(self, worker: Worker, seconds: int) -> None:
        self.inside[id(worker)] = self.inside.get(id(worker), 0) + 1
        self.most_inside = max(self.most_inside, sum(self.inside.values()))
        try:
            if seconds:
                await self.house.clock.sleep(seconds)
        finally:
            if id(worker) in self.inside:
                self.inside[id(worker)] -= 1

    def worst_window(self) -> tuple[int, int]:
        """Most requests and most tokens counted in any true minute."""
        windows = [[c for c in self.counted if last - WINDOW < c[0] <= last] for last, _ in self.counted]
        return (
            max((len(window) for window in windows), default=0),
            max((sum(tokens for _, tokens in window) for window in windows), default=0),
        )

    async def kill(self, number: int) -> None:
        """A worker dies with all it holds; its successor starts."""
        worker = self.workers[number]
        self.keepers[number].cancel()
        self.inside.pop(id(worker), None)
        worker.leases.settle = lambda *_: None  # type: ignore[method-assign] # the dead say nothing
        for owner, task in self.running:
            if owner is worker:
                task.cancel()
        await settled()
        self.workers[number] = self.house.worker()
        with suppress(Exception):
            await self.workers[number].leases.tick()
        self.keepers[number] = _start(self.workers[number].leases.keep())

    async def run(self, steps: list[Step]) -> None:
        await self.begin()
        for kind, number, seconds, fate, reserved, used in steps:
            match kind:
                case "wait":
                    await self.house.clock.advance(number)
                case "kill":
                    await self.kill(number)
                case "no reply":
                    self.house.store.lost = number
                case "outage":
                    self.house.quota.down = True
                    await self.house.clock.advance(number)
                    if fate == "lost":
                        self.house.quota.forget()
                    self.house.quota.down = False
                case _:
                    worker = self.workers[number]
                    task = _start(self.request(worker, seconds, fate, reserved, used))
                    self.running.append((worker, task))
                    await settled()
                    if fate == "cancelled":
                        task.cancel()
            await self.house.clock.advance(0.5)

    async def end(self) -> None:
        await self.house.clock.advance(100)
        for keeper in self.keepers:
            keeper.cancel()
        await asyncio.gather(*self.keepers, *(task for _, task in self.running), return_exceptions=True)
        await self.house.tasks.drain(5.0)


def check(simulation: Simulation) -> None:
    assert simulation.most_inside <= CONCURRENCY
    most_requests, most_tokens = simulation.worst_window()
    assert most_requests <= REQUESTS
    assert most_tokens <= TOKENS
    assert simulation.house.quota.held("t") == (0, 0, 0)


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.one_of(requests, requests, requests, waits), max_size=40))
async def test_limits_hold_over_several_workers_and_nothing_leaks(steps: list[Step]) -> None:
    simulation = Simulation()
    await simulation.run(steps)
    await simulation.end()
    check(simulation)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.one_of(requests, requests, waits, kills, outages, losses), max_size=40))
async def test_limits_hold_when_workers_die_and_the_store_fails_or_forgets(steps: list[Step]) -> None:
    simulation = Simulation()
    await simulation.run(steps)
    await simulation.end()
    check(simulation)


async def test_exactly_the_limit_is_admitted_whoever_held_it() -> None:
    simulation = Simulation()
    await simulation.begin()
    for number in range(3 * REQUESTS):
        task = _start(simulation.request(simulation.workers[number % WORKERS], 0, "ends", 1, 1))
        simulation.running.append((simulation.workers[number % WORKERS], task))
        await simulation.house.clock.advance(0.3)
    assert len(simulation.counted) == REQUESTS
    await simulation.end()


async def test_a_long_request_keeps_its_slot_and_a_dead_workers_request_loses_it() -> None:
    simulation = Simulation()
    await simulation.begin()
    living, dying = simulation.workers[:2]
    for worker in (living, dying):
        task = _start(simulation.request(worker, 90, "ends", 0, 0))
        simulation.running.append((worker, task))
    await settled()
    await simulation.kill(1)
    await simulation.house.clock.advance(14)
    assert simulation.house.quota.held("t").slots == 2
    await simulation.house.clock.advance(16)
    assert simulation.house.quota.held("t").slots == 1
    await simulation.end()
    check(simulation)


async def test_the_virtual_clock_wakes_sleepers_in_order() -> None:
    house, woken = Gatehouse(), list[float]()

    async def sleeper(seconds: float) -> None:
        await house.clock.sleep(seconds)
        woken.append(house.clock.now)

    tasks = [_start(sleeper(seconds)) for seconds in (3.0, 1.0, 2.0)]
    await house.clock.advance(2.5)
    assert woken == [1_001.0, 1_002.0]
    await house.clock.advance(1)
    await asyncio.gather(*tasks)
    await settled()
    assert woken[-1] == 1_003.0


def _start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)
