"""C: exchanges with the store, one at a time for each meter, shared by all requests that wait for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import StoreError
from gateway.leasing.lease import WINDOW_SECONDS
from gateway.leasing.share import without_missing
from gateway.ports import Census, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.leasing.lease import Lease
    from gateway.ports import Clock, Grant, QuotaStore
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Meter

Seed: TypeAlias = "Callable[[Meter], Awaitable[int]]"
"""What the ledger has of a budget's period. Raises StoreError."""

Wants: TypeAlias = tuple[tuple[int, int, int], ...]
"""Requests, tokens and slots that requests wait for."""

QUIET_SECONDS = 1.2
"""Longer than a store that forgot everything waits to be told again (QUIET_MS in holds.lua)."""


YOUNG_SECONDS = 2.0
"""A server tells its age in whole seconds."""


class Rounds:
    """One for a worker. What requests want of a meter while an exchange runs is asked together in the next one."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on, handed over by Leases alone
        self,
        store: QuotaStore,
        clock: Clock,
        tasks: TaskGroup,
        failed: Callable[[], None],
        workers: int,
        seed: Seed,
        first_run: str,
    ) -> None:
        """`first_run` is as in Seat."""
        self.census = Census(workers, 0, "")
        self.offset = 0.0
        self._former: list[tuple[float, Census]] = []
        self.heard = clock.monotonic()
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._failed = failed
        self._seed = seed
        self._wants: dict[str, list[tuple[int, int, int]]] = {}
        self._running: dict[str, asyncio.Future[Grant]] = {}
        self._run_changed = self._run_met = -QUIET_SECONDS
        self._reached = clock.monotonic()
        self._rejoined = -QUIET_SECONDS
        self._first_run = first_run
        self._met_young = False

    @property
    def holders(self) -> int:
        """Workers among which a limit is divided."""
        return max(1, self.census.workers)

    @property
    def censuses(self) -> list[Census]:
        """The last census, and those of the moment before it: others may have heard one of them last."""
        return [self.census, *(census for _, census in self._former)]

    def counted(self, census: Census, asked: float) -> bool:
        """Take in a census, `asked` for then; whether the server is another process, which may know less."""
        self.heard = self._clock.monotonic()
        self.offset = census.now - asked
        self._former = [former for former in self._former if former[0] > self.heard - QUIET_SECONDS]
        # Whoever begins alone need not think of others who have not heard of it: there are none.
        alone = census.workers == 1 and not self.census.workers
        if (census.workers, census.rank) != (self.census.workers, self.census.rank) and not alone:
            self._former.append((self.heard, self.census))
        changed = bool(self.census.run) and census.run != self.census.run
        if changed:
            self._run_changed = self.heard
        elif not self.census.run:
            if census.returning:  # others have shares to tell of, which nobody may be granted before
                self._rejoined = self.heard
            self._run_met = self.heard
            self._met_young = census.age <= YOUNG_SECONDS and census.run != self._first_run
        self.census = census
        return changed

    def reached(self, away_seconds: float) -> bool:
        """The store was away, and is back; whether so late that shares may have been spent, by whomever."""
        self._reached = self._clock.monotonic()
        if away_seconds <= WINDOW_SECONDS and not self.census.returning:
            return False
        self._rejoined = self._reached
        return True

    @property
    def rejoining(self) -> bool:
        """Whether that was a moment ago."""
        return self._clock.monotonic() - self._rejoined < QUIET_SECONDS

    def idle(self, lease: Lease) -> bool:
        """Whether nobody waits for anything of a meter."""
        return lease.meter.subject not in self._running and lease.meter.subject not in self._wants

    async def refill(self, lease: Lease, amounts: tuple[int, int, int]) -> Grant | None:
        """Ask for as much as is wanted by now; None when an exchange that ran already brought enough.

        Raises:
            StoreError: the store did not answer.
        """
        wants = self._wants.setdefault(lease.meter.subject, [])
        wants.append(amounts)
        try:
            if lease.meter.subject in self._running:  # it was said without us
                await asyncio.wait({self._running[lease.meter.subject]})
                if not lease.lacks(*amounts):
                    return None
            grant = await self.tell(lease)
            if grant.short_of is not None and lease.lacks(*amounts) and not lease.short(amounts, grant.short_of):
                while not self._free(lease):
                    await asyncio.wait({self._running[lease.meter.subject]})
                return await self.tell(lease, (amounts,))  # that was about what others wanted
            return grant
        finally:
            wants.remove(amounts)
            if not wants:
                self._wants.pop(lease.meter.subject, None)

    async def tell(self, lease: Lease, wants: Wants | None = None) -> Grant:
        """One exchange, see `begin`; cancelling who waits for it does not stop it. Raises StoreError."""
        running = self.begin(lease, wants)
        await asyncio.wait({running})
        return running.result()

    def _free(self, lease: Lease) -> bool:
        return lease.meter.subject not in self._running

    def begin(self, lease: Lease, wants: Wants | None = None) -> asyncio.Future[Grant]:
        """The exchange that runs for a meter, or a new one: for all that is wanted by then, or for `wants` alone."""
        subject = lease.meter.subject
        running = self._running.get(subject)
        if running is None:
            running = self._running[subject] = asyncio.get_running_loop().create_future()
            self._tasks.spawn(self._exchange(lease, running, wants), "exchange")
        return running

    async def leave(self, lease: Lease) -> None:
        """Tell everything, then give everything back. Raises StoreError."""
        await self.tell(lease)
        await self._store.exchange(lease.state(self._clock.monotonic(), self.holders, leaves=True))

    async def _exchange(self, lease: Lease, answer: asyncio.Future[Grant], alone: Wants | None) -> None:
        subject = lease.meter.subject
        failure: BaseException = StoreError("stopped")
        try:
            grant = await self._told(lease, alone)
            self._running.pop(subject)
            answer.set_result(grant)
        except StoreError as error:
            failure = error
            self._failed()
        finally:
            if not answer.done():
                self._running.pop(subject, None)
                answer.set_exception(failure)
                answer.exception()  # nobody may be waiting

    async def _told(self, lease: Lease, alone: Wants | None) -> Grant:
        while True:
            wants = tuple(self._wants.get(lease.meter.subject, ())) if alone is None else alone
            sent = self._clock.monotonic()
            statement = lease.state(sent, self.holders, wants)
            asked = replace(statement, meter=without_missing(statement.meter, self.census))
            grant = await self._store.exchange(asked, self._known_run(sent), patient=self._is_patient(sent))
            self.heard = self._clock.monotonic()
            if grant.outcome is Outcome.UNSEEDED:
                lease.said = replace(statement, seed=await self._seed(lease.meter))
                continue
            if grant.outcome is not Outcome.LOST:
                lease.hear(grant, statement, sent)
                return grant
            lease.known = grant.known

    def _is_patient(self, now: float) -> bool:
        """Whether the store was away a moment ago, so that others who live may not have spoken yet."""
        return now - self._reached < QUIET_SECONDS

    def _known_run(self, now: float) -> str:
        """The run id to be compared with the server's; for a while after a restart one that equals none.

        A worker that has just begun cannot say that others have told a restarted server what it forgot; if the server
        has just begun, too, it will be told now, but for one that no worker can have met before.
        """
        if now - self._run_changed < QUIET_SECONDS:
            return "0"
        if now - self._run_met < QUIET_SECONDS:
            return "0" if self._met_young else ""
        return self.census.run
