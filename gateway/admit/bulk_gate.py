"""C: holds bulk calls at the door while they keep the worker's processor from others."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from gateway.vocabulary import Lane, Stage

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.ports import Clock, Observer
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Facts

PROBE_SECONDS = 0.01
LATE_SECONDS = 0.001
"""An interactive call needs about six turns of the event loop, and bench/lanes.py shows what that comes to."""

PEOPLE_SECONDS = 30.0
"""So long after an interactive call another one may come; nobody else minds how long a turn is."""

CALM_PROBES = 5
"""Probes in a row that must be in time before one bulk call more may run: as long as a cut takes to be felt."""

_CUT = 0.7
_FIRST = 4

T = TypeVar("T")


class BulkGate:
    """At most `places` bulk calls run in this worker at once, as many as the event loop stays in time with.

    Places of a backend say nothing of this: many lists answered from the cache, or by a quick backend, are all work
    for this processor. While bulk calls run a probe sleeps for `PROBE_SECONDS` again and again; where it wakes
    `LATE_SECONDS` too late the places are cut by a third, and where it is in time one is added (additive increase,
    multiplicative decrease: Chiu and Jain, 1989). One call may always run. Interactive calls pass; while there are none
    bulk has the processor.
    """

    def __init__(self, clock: Clock, observer: Observer, tasks: TaskGroup) -> None:
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._running = 0
        self._people = float("-inf")
        self._probing = False
        self.places = _FIRST

    def interactive(self, now: float) -> None:
        """An interactive call came, which goes its own way; `now` in monotonic seconds."""
        self._people = now

    async def through(self, lane: Lane, tenant: str, facts: Facts, serving: Coroutine[None, None, T]) -> T:
        """What `serving` returns, which a bulk call begins when it has a place; tenants take turns."""
        if lane is not Lane.BULK:
            self._people = self._clock.monotonic()
            return await serving
        started = self._clock.monotonic()
        try:
            await self._enter(tenant)
        except asyncio.CancelledError:
            serving.close()
            raise
        seconds = self._clock.monotonic() - started
        facts.stages.append((Stage.ADMIT, seconds))
        self._observer.stage(Stage.ADMIT, seconds)
        if facts.trace is not None:
            facts.trace.stage(Stage.ADMIT, started, seconds)
        try:
            return await serving
        finally:
            self._running -= 1
            self._open()

    async def _enter(self, tenant: str) -> None:
        if self._waiting or self._running >= self.places:
            await self._wait(tenant)
        else:
            self._running += 1
        if not self._probing:
            self._probing = True
            self._tasks.spawn(self._probe(), "bulk gate")

    async def _wait(self, tenant: str) -> None:
        """Until `_open` has taken a place for this call."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(tenant, turn)
            else:  # its turn came, and goes to the next
                self._running -= 1
                self._open()
            raise

    def _leave(self, tenant: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(tenant, ())
        if turn in turns:  # `_open` may have met it between the cancellation and now
            self._waiting[tenant].remove(turn)
            if not turns:
                del self._waiting[tenant]

    def _open(self) -> None:
        while self._waiting and self._running < self.places:
            tenant = next(iter(self._waiting))
            turns = self._waiting.pop(tenant)
            turn = turns.popleft()
            if turns:
                self._waiting[tenant] = turns  # behind the others
            if not turn.cancelled():
                turn.set_result(None)
                self._running += 1

    async def _probe(self) -> None:
        calm = 0
        while self._running:
            due = self._clock.monotonic() + PROBE_SECONDS
            await self._clock.sleep(PROBE_SECONDS)
            now = self._clock.monotonic()
            if now - due > LATE_SECONDS and now - self._people < PEOPLE_SECONDS:
                # What ran together was too much, however many places there were.
                self.places = max(1, int(_CUT * min(self.places, self._running)))
                calm = 0
                continue
            calm += 1
            if calm >= CALM_PROBES and self._waiting:
                self.places += 1
                calm = 0
                self._open()
        self._probing = False
