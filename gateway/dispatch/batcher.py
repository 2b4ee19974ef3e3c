"""C: micro-batches: small orders of one kind that come at the same moment travel in one call."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from gateway.dispatch.batching import Entry, Gathering
from gateway.errors import internal_error

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from gateway.backends.dialect import CallLimits
    from gateway.dispatch.order import Want
    from gateway.ports import Clock
    from gateway.tasks import TaskGroup

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Send(Protocol[Result_co]):
    """Gets a result for each of some wants, which need not be of one order."""

    async def __call__(self, wanted: tuple[Want, ...], /) -> Mapping[Want, Result_co]:
        """One result a want."""
        ...


class Batcher(Generic[Result]):
    """One for a worker. A call belongs to a task of its own: whoever goes away takes nobody's answer along."""

    def __init__(self, clock: Clock, tasks: TaskGroup, send: Send[Result]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._send = send
        self._kinds: dict[Hashable, Gathering[asyncio.Future[dict[Want, Result]]]] = {}
        self._timers: dict[Hashable, asyncio.Task[None]] = {}

    async def join(
        self, kind: Hashable, wants: tuple[Want, ...], limits: CallLimits, most: int, window: float
    ) -> dict[Want, Result]:
        """Results for the wants of one order, which travel with others of their kind; `window` is in seconds."""
        gathering = self._kinds.get(kind)
        if gathering is None:
            gathering = self._kinds[kind] = Gathering(limits, most)
        gathering.limits, gathering.most = limits, most  # what a backend told since: a busy kind is never over
        entry = Entry(wants, asyncio.get_running_loop().create_future())
        gathering.add(entry, self._clock.monotonic(), window)
        self._go_on(kind, gathering)
        try:
            results: dict[Want, Result] = await entry.waiter
            return results
        finally:
            gathering.withdraw(entry)

    def _go_on(self, kind: Hashable, gathering: Gathering[asyncio.Future[dict[Want, Result]]]) -> None:
        """Send every batch that is to go now; for the others, see to it that their window ends."""
        while batch := gathering.close(self._clock.monotonic()):
            call = self._tasks.spawn(self._carry(batch), "micro-batch")
            # Not in the task itself: one that is cancelled before its first step never runs a line of its own.
            call.add_done_callback(partial(self._carried, kind, gathering, batch))
            _cancel_when_unwanted(call, batch)
        rest = gathering.rest(self._clock.monotonic())
        if rest is not None and kind not in self._timers:
            self._timers[kind] = self._tasks.spawn(self._wait(kind, rest), "window of a micro-batch")
        elif gathering.over and self._kinds.get(kind) is gathering:
            del self._kinds[kind]

    async def _wait(self, kind: Hashable, rest: float) -> None:
        try:
            await self._clock.sleep(rest)
        finally:
            del self._timers[kind]
        # Those for whom the timer was set may have gone away, and others may have come since.
        if (gathering := self._kinds.get(kind)) is not None:
            self._go_on(kind, gathering)

    async def _carry(self, batch: list[Entry[asyncio.Future[dict[Want, Result]]]]) -> None:
        """One batch, from its call to those who wait."""
        results = await self._send(tuple([want for entry in batch for want in entry.wants]))
        for entry in batch:
            if not entry.waiter.done():
                entry.waiter.set_result({want: results[want] for want in entry.wants})

    def _carried(
        self,
        kind: Hashable,
        gathering: Gathering[asyncio.Future[dict[Want, Result]]],
        batch: list[Entry[asyncio.Future[dict[Want, Result]]]],
        _: asyncio.Task[None],
    ) -> None:
        """A call ended, however: who still waits hears of a defect (which is logged) or of the end of the process."""
        for entry in batch:
            if not entry.waiter.done():
                entry.waiter.set_exception(internal_error())
                entry.waiter.exception()  # whoever waited may be gone
        gathering.returned()
        self._go_on(kind, gathering)


def _cancel_when_unwanted(task: asyncio.Task[None], batch: list[Entry[asyncio.Future[dict[Want, Result]]]]) -> None:
    """A call that nobody waits for any more is not made, or broken off."""

    def gone(_: asyncio.Future[dict[Want, Result]]) -> None:
        if all(entry.waiter.cancelled() for entry in batch):
            task.cancel()

    for entry in batch:
        entry.waiter.add_done_callback(gone)
