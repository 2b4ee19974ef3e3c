"""C: one backend's queue: calls wait for a turn in fair order, and a pump hands out what the pool of keys grants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.dispatch.fair_queue import FairQueue
from gateway.dispatch.pool import Pool
from gateway.dispatch.slots import Slots
from gateway.dispatch.upstream_key import Turn
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from gateway.config.backends import Backend
    from gateway.dispatch.fair_queue import Ticket
    from gateway.dispatch.pool import Outside

POLL_SECONDS = 0.25
"""Room may come back earlier than the store could say, when other workers settle: ask this often while calls wait."""

_SHORTEST_REST = 0.001
_LONGEST_REST = 3_600.0


class LateError(Exception):
    """A call's time ran out before its turn came, or is sure to; `retry_after` is when it may be worth another try."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("no turn in time")
        self.retry_after = retry_after


class Station:
    """One for a backend in a worker. Without limits, a pause or a queue a call passes without being asked anything."""

    def __init__(self, name: str, backend: Backend, outside: Outside) -> None:
        self.pool = Pool(name, backend, outside, self._freed)
        self._name = name
        self._outside = outside
        self._queue = FairQueue()
        self._waiting: dict[Ticket, asyncio.Future[Turn]] = {}
        self._slots = Slots(backend.concurrency)
        self._pump: asyncio.Task[None] | None = None
        self._alarm: asyncio.Task[None] | None = None
        self._rung = False
        self._tried: tuple[Ticket | None, float] = (None, 0.0)

    def waiting(self, lane: Lane) -> int:
        """Calls that wait for their turn."""
        return self._queue.length(lane)

    def running(self, lane: Lane) -> int:
        """Calls that have one."""
        return self._slots.of(lane)

    def at_once(self, ticket: Ticket) -> Turn | None:
        """A turn, where there is nothing to wait for and nobody to ask."""
        slots, bulk = self._slots, ticket.lane is Lane.BULK
        if self.pool.shaped or self._waiting or slots.full or (bulk and not slots.spare):
            return None
        now = self._now()
        if self.pool.paused(now):
            return None
        ticket.served = True
        return self._begun(ticket, self.pool.take_freely(now))

    async def wait(self, ticket: Ticket) -> Turn:
        """The ticket's turn. Raises LateError."""
        started = self._now()
        if self.pool.shaped or self.pool.paused(started):
            ticket.hold(started)
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = turn
        if ticket.served:
            self._queue.put_back(ticket)
        else:
            self._queue.add(ticket)
        self._start()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._slots.free(ticket.lane)
                self._return(turn.result())
            raise
        finally:
            del self._waiting[ticket]
            self._queue.withdraw(ticket)
            self._ring()
            self._outside.observer.upstream_queued(self._name, ticket.lane, self._now() - started, len(self._queue))

    def end(self, turn: Turn) -> None:
        """A call ended; the next may have its place."""
        self._slots.free(turn.lane)
        self.pool.end(turn)
        self._freed()

    def _start(self) -> None:
        if self._pump is None:
            self._pump = self._outside.tasks.spawn(self._serve(), f"queue of {self._name}")
        self._ring()

    async def _serve(self) -> None:
        """Hand out turns until nobody waits."""
        try:
            while len(self._queue):
                self._rung = False
                self._dismiss_late()
                rest = await self._next()
                if rest > 0:
                    await self._rest(rest)
            self._dismiss_late()
        finally:
            self._pump = None
            for turn in self._waiting.values():
                if not turn.done():
                    turn.set_exception(LateError(1.0))

    async def _next(self) -> float:
        """Serve whoever is next; else the seconds until that may be possible."""
        slots = self._slots
        ticket = None if slots.full else self._queue.pop(self._now(), spare=slots.spare, due=slots.due)
        if ticket is None:
            return self._until_deadline(_LONGEST_REST) if len(self._queue) else 0.0
        tried, not_before = self._tried
        found = not_before - self._now() if ticket is tried else 0.0
        if found <= 0:
            granted = await self.pool.take(ticket.tokens)
            if isinstance(granted, Turn):
                self._hand_over(ticket, granted)
                return 0.0
            found = self._patience(granted)
            self._tried = (ticket, self._now() + found)
        if ticket in self._waiting and not self._waiting[ticket].done():
            self._queue.put_back(ticket)
        self._dismiss_late()  # the question may have told of a pause
        return self._until_deadline(found)

    def _hand_over(self, ticket: Ticket, granted: Turn) -> None:
        """The turn goes to its ticket, unless that has gone away or has run out meanwhile."""
        turn = self._waiting.get(ticket)
        if turn is None or turn.done():
            self._return(granted)
        elif ticket.deadline <= self._now():
            self._return(granted)
            turn.set_exception(LateError(1.0))
        else:
            ticket.served = True
            turn.set_result(self._begun(ticket, granted))

    def _begun(self, ticket: Ticket, turn: Turn) -> Turn:
        self._slots.take(ticket.lane)
        turn.lane = ticket.lane
        return turn

    def _return(self, turn: Turn) -> None:
        turn.sent = False
        self.pool.end(turn)
        self._freed()

    def _dismiss_late(self) -> None:
        """Whoever cannot be served in time is told at once: a pause is known to last."""
        now = self._now()
        paused = self.pool.paused(now)
        for ticket in self._queue.expire(now + paused):
            turn = self._waiting.get(ticket)
            if turn is not None and not turn.done():
                turn.set_exception(LateError(max(1.0, paused)))

    def _patience(self, wait: float) -> float:
        """How long to leave the store alone: to the end of a pause, else for a moment that differs by worker."""
        if self.pool.paused(self._now()):
            return wait
        return min(wait, POLL_SECONDS * (0.5 + self._outside.clock.random()))

    def _until_deadline(self, rest: float) -> float:
        return max(_SHORTEST_REST, min(rest, self._queue.next_deadline() - self._now()))

    async def _rest(self, seconds: float) -> None:
        """Wait, or until the bell rings; it may have rung already."""
        if self._rung:
            return
        self._alarm = self._outside.tasks.spawn(self._outside.clock.sleep(seconds), f"rest of {self._name}")
        try:
            await asyncio.wait({self._alarm})
        finally:
            self._alarm.cancel()
            self._alarm = None

    def _freed(self) -> None:
        """There may be room: whoever was refused is worth another question."""
        self._tried = (None, 0.0)
        self._ring()

    def _ring(self) -> None:
        self._rung = True
        if self._alarm is not None:
            self._alarm.cancel()

    def _now(self) -> float:
        return self._outside.clock.monotonic()
