"""C: many requests of one tenant on a virtual clock: they end, fail, are cancelled, or die with their worker."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fakes.clock import settled
from fakes.parking import Gatehouse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admit.reservation import Admission
from gateway.errors import GatewayError
from gateway.vocabulary import Charge, Facts, Limits

if TYPE_CHECKING:
    from collections.abc import Coroutine

CONCURRENCY, REQUESTS, TOKENS = 3, 12, 200
LIMITS = Limits(REQUESTS, TOKENS, CONCURRENCY)
WINDOW = 60.0

fates = st.sampled_from(["ends", "fails", "cancelled"])
requests = st.tuples(st.integers(0, 20), st.integers(0, 40), fates, st.integers(0, 90), st.integers(0, 90))


class Simulation:
    """A gatehouse, who is inside it now, and when whoever was counted came in."""

    def __init__(self) -> None:
        self.house = Gatehouse(LIMITS)
        self.inside = 0
        self.most_inside = 0
        self.counted: list[tuple[float, int]] = []

    async def request(self, seconds: int, fate: str, reserved: int, used: int) -> None:
        house = self.house
        with suppress(GatewayError, ValueError):
            async with house.admission.reserve(house.caller, Facts("embeddings", "r")) as reservation:
                await reservation.cover(reserved)
                self.counted.append((house.clock.now, min(used, reserved) if fate == "ends" else 0))
                await self._work(seconds)
                if fate == "fails":
                    raise ValueError
                reservation.record(Charge(used, used), min(used, reserved))

    async def _work(self, seconds: int) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.house.clock.sleep(seconds)
        finally:
            self.inside -= 1

    def worst_window(self) -> tuple[int, int]:
        """Most requests and most tokens counted in any true minute."""
        windows = [[c for c in self.counted if last - WINDOW < c[0] <= last] for last, _ in self.counted]
        return (
            max((len(window) for window in windows), default=0),
            max((sum(tokens for _, tokens in window) for window in windows), default=0),
        )


@settings(max_examples=40, deadline=None)
@given(arrivals=st.lists(requests, max_size=30))
async def test_limits_hold_and_nothing_leaks(arrivals: list[tuple[int, int, str, int, int]]) -> None:
    simulation = Simulation()
    house = simulation.house
    heartbeat = asyncio.ensure_future(house.admission.heartbeat(5))
    running: list[asyncio.Task[None]] = []
    for gap, seconds, fate, reserved, used in arrivals:
        task = _start(simulation.request(seconds, fate, reserved, used))
        running.append(task)
        await house.clock.advance(gap)
        if fate == "cancelled":
            task.cancel()
    await house.clock.advance(100)
    heartbeat.cancel()
    await asyncio.gather(heartbeat, *running, return_exceptions=True)
    await house.tasks.drain(5.0)
    assert simulation.most_inside <= CONCURRENCY
    most_requests, most_tokens = simulation.worst_window()
    assert most_requests <= REQUESTS
    assert most_tokens <= TOKENS
    assert house.quota.usage("t").slots == 0
    assert house.admission._live == {}


async def test_a_long_request_keeps_its_slot_and_a_dead_workers_request_loses_it() -> None:
    house = Gatehouse(Limits(None, None, 2))
    other = Admission(house.store, house.clock, house.tasks, house.observer)
    heartbeat = asyncio.ensure_future(house.admission.heartbeat(5))
    async with house.admission.reserve(house.caller, house.facts):
        dead = other.reserve(house.caller, Facts("embeddings", "dead"))
        await dead.__aenter__()
        await house.clock.advance(14.9)
        assert house.quota.usage("t").slots == 2
        await house.clock.advance(85.2)
        assert house.quota.usage("t").slots == 1
        async with house.admission.reserve(house.caller, Facts("embeddings", "next")):
            assert house.quota.usage("t").slots == 2
    await dead.__aexit__(None, None, None)
    assert house.quota.usage("t").slots == 0
    heartbeat.cancel()
    with suppress(asyncio.CancelledError):
        await heartbeat
    await house.tasks.drain(5.0)


def _start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)


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
