"""C: a request's hold on its tenant's limits, as a construct that always settles: `async with admission.reserve(…)`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING

from gateway import ports
from gateway.admit.limits import refusal, remaining
from gateway.errors import StoreError, ip_limit_exceeded, service_unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Caller, Charge, Facts, Remaining

SETTLE_TRIES = 2
ROLE = "quota"


class Standing(Enum):
    """What the store is known to hold for a lease."""

    NOTHING = "nothing"
    UNKNOWN = "unknown"
    RETURNED = "returned"
    HELD = "held"


class Reservation:
    """One request's lease, held between the door and settlement; made by `Admission.reserve` only."""

    def __init__(
        self, store: ports.QuotaStore, observer: ports.Observer, caller: Caller, lease: str, facts: Facts
    ) -> None:
        self.lease = lease
        self.subject = caller.tenant
        self.standing = Standing.NOTHING
        self._store = store
        self._observer = observer
        self._limits = caller.limits
        self._facts = facts
        self._tokens = 0

    async def enter(self) -> None:
        """Ask for one request and one slot.

        Raises:
            GatewayError: RATE_REQUEST_LIMIT_EXCEEDED, RATE_CONCURRENCY_LIMIT_EXCEEDED or SERVICE_UNAVAILABLE.
        """
        door = ports.Admission(self.subject, self.lease, "door", self._limits, requests=1, slot=True)
        await self._ask(door, refused=Standing.NOTHING)

    async def cover(self, tokens: int) -> None:
        """Reserve `tokens` for what must be paid; zero asks nobody.

        A refusal gives the request back, too: who is refused has used up nothing.

        Raises:
            GatewayError: RATE_TOKEN_LIMIT_EXCEEDED or SERVICE_UNAVAILABLE.
        """
        if tokens > 0:
            cover = ports.Admission(self.subject, self.lease, "cover", self._limits, tokens=tokens)
            await self._ask(cover, refused=Standing.RETURNED)

    def record(self, charge: Charge, count_tokens: int) -> None:
        """What the request cost; `count_tokens` of it stay in the tenant's window, however the request ends."""
        self._facts.reported_tokens = charge.reported
        self._facts.upstream_tokens = charge.upstream
        self._tokens = count_tokens

    async def settle(self) -> None:
        """Correct the windows to what was really used and give the slot back. Raises StoreError."""
        requests, tokens = (1, self._tokens) if self.standing is Standing.HELD else (0, 0)
        usage = await self._store.settle(self.subject, self.lease, requests, tokens)
        self._facts.remaining = remaining(usage, self._limits)

    async def _ask(self, question: ports.Admission, refused: Standing) -> None:
        """One admission; as long as it is not known to have passed, the lease will settle to nothing."""
        self.standing = Standing.UNKNOWN
        try:
            verdict = await self._store.admit(question)
        except StoreError:
            self._observer.store_failure(ROLE)
            raise service_unavailable("Rate limiter unavailable, please retry") from None
        self._facts.remaining = remaining(verdict.usage, self._limits)
        if verdict.refused_by is not None:
            self.standing = refused
            raise refusal(verdict, self._limits, question.tokens)
        self.standing = Standing.HELD


class Admission:
    """Asks the quota store on behalf of requests and keeps their leases alive."""

    def __init__(self, store: ports.QuotaStore, clock: ports.Clock, tasks: TaskGroup, observer: ports.Observer) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._observer = observer
        self._live: dict[str, set[str]] = {}

    @asynccontextmanager
    async def reserve(self, caller: Caller, facts: Facts) -> AsyncGenerator[Reservation, None]:
        """Hold one request and one slot of `caller` while the block runs; settles exactly once, whatever happens.

        The settlement runs in a task that cancellation of the request cannot reach. An ordinary end waits for it, so
        that the slot is free before the client has its answer.

        Raises:
            GatewayError: the limits refuse (see Reservation.enter), or the store is down.
        """
        reservation = Reservation(self._store, self._observer, caller, self._clock.identifier(), facts)
        self._live.setdefault(reservation.subject, set()).add(reservation.lease)
        try:
            await reservation.enter()
            yield reservation
        except (asyncio.CancelledError, GeneratorExit):
            self._end(reservation)
            raise
        except BaseException:
            await self._end_and_wait(reservation)
            raise
        else:
            await self._end_and_wait(reservation)

    async def remaining(self, caller: Caller) -> Remaining | None:
        """What `caller` has left, for answers that were never admitted; None when the store cannot say."""
        peek = ports.Admission(caller.tenant, "", "peek", caller.limits)
        try:
            verdict = await self._store.admit(peek)
        except StoreError:
            self._observer.store_failure(ROLE)
            return None
        return remaining(verdict.usage, caller.limits)

    async def failed_authentication(self, client: str, limit: int | None) -> None:
        """Count a call from address `client` that failed to authenticate; a store that is down lets it pass.

        Raises:
            GatewayError: RATE_IP_LIMIT_EXCEEDED, more than `limit` within a minute.
        """
        if limit is None:
            return
        try:
            wait = await self._store.hit(client, limit)
        except StoreError:
            self._observer.store_failure(ROLE)
            return
        if wait is not None:
            raise ip_limit_exceeded(wait)

    async def heartbeat(self, every_seconds: float) -> None:
        """Renew the leases of running requests for ever; a store that is down is asked again the next time."""
        while True:
            await self._clock.sleep(every_seconds)
            for subject, leases in list(self._live.items()):
                try:
                    await self._store.renew(subject, tuple(leases))
                except StoreError:
                    self._observer.store_failure(ROLE)
                    break

    def _end(self, reservation: Reservation) -> asyncio.Task[None] | None:
        leases = self._live[reservation.subject]
        leases.discard(reservation.lease)
        if not leases:
            del self._live[reservation.subject]
        if reservation.standing is Standing.NOTHING:
            return None
        return self._tasks.spawn(self._settle(reservation), f"settle {reservation.lease}")

    async def _end_and_wait(self, reservation: Reservation) -> None:
        settlement = self._end(reservation)
        # A store that did not answer the question is not waited for again.
        if settlement is not None and reservation.standing is not Standing.UNKNOWN:
            # wait() leaves the task alone when we are cancelled, unlike awaiting it.
            await asyncio.wait({settlement})

    async def _settle(self, reservation: Reservation) -> None:
        """Try twice, then leave it to the lease's expiry: an answer that is ready never fails for this."""
        for _ in range(SETTLE_TRIES):
            try:
                await reservation.settle()
            except StoreError:
                self._observer.store_failure(ROLE)
            else:
                return
