"""C: a worker's leases: spent in the process, refilled from the store, called back, split while it is away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.leasing.fallback import allows_locally
from gateway.leasing.lease import Lease
from gateway.leasing.rounds import QUIET_SECONDS, Rounds, Seed
from gateway.leasing.seat import Seat
from gateway.ports import Amounts, Outcome
from gateway.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.leasing.lease import Taken
    from gateway.ports import Clock, Grant, Observer, QuotaStore
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Meter

ROLE = "quota"
TICK_SECONDS = 0.2
PATIENCE_SECONDS = 0.25
"""A request waits so long for what other workers hold idle; then it is refused."""

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.05

IDLE_SECONDS = 60.0
"""A lease that nobody used for so long is given back."""

REGISTRATION_SECONDS = 15.0

Want = tuple[Lease, int, int, int]
"""A lease, and the requests, tokens and slots that one request wants of it."""


async def _nothing_used(_meter: Meter) -> int:
    return 0


class RefusedError(Exception):
    """A meter does not allow it; `grant` says why, None when the store is away and the meter's fallback refuses."""

    def __init__(self, lease: Lease, grant: Grant | None) -> None:
        super().__init__(lease.meter.subject)
        self.lease = lease
        self.grant = grant


class Leases:
    """One for a worker. Taking is all or nothing: between looking and taking nothing else runs.

    While the store is away nothing is asked of it but the census of `tick`, which notices when it is back.
    `longest_seconds` is how long a request may take, so how long one that nobody knows of may keep its slots.
    `refusals` counts what was refused, by the meter's scope and what it was short of.
    """

    def __init__(  # noqa: PLR0913 - what it stands on, by name
        self,
        store: QuotaStore,
        clock: Clock,
        tasks: TaskGroup,
        observer: Observer,
        *,
        lease_seconds: float = 15.0,
        workers: int = 0,
        seed: Seed = _nothing_used,
        seat: Seat | None = None,
    ) -> None:
        self._seat = seat or Seat(clock.identifier())
        self.rounds = Rounds(store, clock, tasks, self._failed, workers, seed, self._seat.first_run)
        self.down = False
        self.longest_seconds = 0.0
        self._store = store
        self._clock = clock
        self._observer = observer
        self._renew_seconds = lease_seconds / 3
        self._leases: dict[str, Lease] = {}
        self.refusals: dict[tuple[str, str], int] = {}

    @property
    def held(self) -> tuple[Lease, ...]:
        """What this worker has of every meter that was in use lately."""
        return tuple(self._leases.values())

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()

    def of(self, meter: Meter) -> Lease:
        """The lease of a meter; new limits hold from now on."""
        lease = self._leases.get(meter.subject)
        if lease is None:
            holder = self._clock.identifier()
            lease = self._leases[meter.subject] = Lease(meter, holder, self._clock.monotonic())
            lease.offset, lease.rejoins = self.rounds.offset, self.rounds.rejoining
            lease.longest = self.longest_seconds
        elif lease.meter is not meter and lease.meter != meter:  # most are made once, some for each request
            lease.meter, lease.refusal = meter, None
        return lease

    def taken_at_once(self, wants: Sequence[Want]) -> list[Taken] | None:
        """Everything, if all of it is idle here; else nothing (None)."""
        if self.down:
            return None
        for lease, requests, tokens, slots in wants:
            if lease.lacks(requests, tokens, slots):
                return None
        now = self._clock.monotonic()
        return [lease.take(requests, tokens, slots, now) for lease, requests, tokens, slots in wants]

    def spend_at_once(self, meters: Sequence[Meter], tokens: int) -> bool:
        """Spend a request and `tokens` of every meter, as taking and settling them would; False: nothing was.

        For calls that take no time. It fails where anything is not idle here, or somebody waits for what is.
        """
        if self.down:
            return False
        leases = [self.of(meter) for meter in meters]
        for lease in leases:
            if lease.called_back or lease.lacks(1, tokens, 1):
                return False
        now = self._clock.monotonic()
        for lease in leases:
            lease.spend(tokens, now)
        return True

    async def take(self, wants: Sequence[Want], *, patient: bool = True) -> list[Taken]:
        """Everything or nothing, with the store's help; who is not `patient` does not wait for what others may give.

        Raises:
            RefusedError: a meter that is no shadow does not allow it; nothing was taken.
        """
        patience = self._clock.monotonic() + PATIENCE_SECONDS if patient else float("-inf")
        pause = FIRST_PAUSE_SECONDS
        wants = list(wants)
        while not self.down:
            taken = self.taken_at_once(wants)
            if taken is not None:
                return taken
            if await self._refill(wants, patience):
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return self._take_locally(wants)

    def settle(self, taken: Taken, requests: int, tokens: int) -> None:
        """End what was taken; somebody who waits for it elsewhere gets it at once."""
        lease = taken.lease
        if lease.meter.lasts is not None:
            taken.second = int(self._clock.monotonic() + lease.offset)
        lease.settle(taken, requests, tokens)
        if lease.called_back and lease.holds and not self.down:
            self.rounds.begin(lease)

    async def usage(self, meter: Meter) -> Amounts | None:
        """What is used of a meter by now; None when the store does not say."""
        lease = self.of(meter)
        if not lease.told or self._clock.monotonic() - lease.checked > 1:
            if self.down:
                return None
            try:
                await self.rounds.tell(lease)
            except StoreError:
                return None
        return lease.used

    async def keep(self) -> None:
        """For ever: tell the store what was spent, keep what is in use, give back what is not, look after the store."""
        while True:
            await self._clock.sleep(TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """One turn of `keep`."""
        asked = self._clock.monotonic()
        try:
            census = await self._store.register(self._seat.worker, REGISTRATION_SECONDS, self._seat.predecessor)
        except StoreError:
            self._failed()
            return
        now = self._clock.monotonic()
        away_seconds = now - self.rounds.heard
        was_away = self.rounds.counted(census, asked) or self.down
        self.down = False
        if was_away and self.rounds.reached(away_seconds):
            for lease in self._leases.values():
                lease.rejoin()
        for lease in list(self._leases.values()):
            if now - lease.used_at > IDLE_SECONDS and not any(lease.busy):
                self._leave(lease)
            elif was_away or lease.owes or lease.surplus(self.rounds.holders) or self._due(lease, now):
                self.rounds.begin(lease)

    async def called_back(self, subject: str) -> None:
        """Others want what this worker holds idle of a meter."""
        lease = self._leases.get(subject)
        if lease is not None and not self.down:
            lease.called_back = True
            self.rounds.begin(lease)

    async def close(self) -> None:
        """Tell everything and give everything back; what the store does not hear ends with its leases."""
        for lease in list(self._leases.values()):
            try:
                await self.rounds.leave(lease)
            except StoreError:
                return
        with suppress(StoreError):
            await self._store.leave(self._seat.worker)

    def _due(self, lease: Lease, now: float) -> bool:
        return now - lease.checked >= self._renew_seconds and (lease.holds or any(lease.busy))

    async def _refill(self, wants: list[Want], patience: float) -> bool:
        """Ask for all that is short; whether to wait before the next look.

        Raises:
            RefusedError: see `take`. A meter in shadow is taken out of `wants` instead.
        """
        now = self._clock.monotonic()
        short = [want for want in wants if want[0].lacks(*want[1:])]
        for want in short:
            remembered = want[0].refused(want[1:], now)
            if remembered is not None:
                self._refuse(want, remembered, wants)
                return False
        grants = await asyncio.gather(
            *(self.rounds.refill(lease, (requests, tokens, slots)) for lease, requests, tokens, slots in short),
            return_exceptions=True,
        )
        wait = False
        for want, grant in zip(short, grants, strict=True):
            if isinstance(grant, BaseException) and not isinstance(grant, StoreError):
                raise grant
            if grant is None or isinstance(grant, BaseException) or not want[0].lacks(*want[1:]):
                continue
            if grant.short_of is not None and not want[0].short(want[1:], grant.short_of):
                continue  # what it got was called back, or taken, before it could be used: once more
            if grant.outcome is Outcome.WAIT and self._may_wait(grant, patience):
                wait = True
            elif grant.short_of is not None or grant.outcome is Outcome.WAIT:
                self._refuse(want, grant, wants)
        return wait

    def _refuse(self, want: Want, grant: Grant, wants: list[Want]) -> None:
        meter = want[0].meter
        if not meter.shadow:
            limit = (meter.scope.value, grant.short_of or "unknown")
            self.refusals[limit] = self.refusals.get(limit, 0) + 1
            raise RefusedError(want[0], grant)
        self._observer.shadowed(meter.scope.value)
        wants.remove(want)

    def _may_wait(self, grant: Grant, patience: float) -> bool:
        """Whether to ask again: others may give back, or the store was restarted and is being told again."""
        return self._clock.monotonic() < (patience if grant.short_of is not None else patience + QUIET_SECONDS)

    def _leave(self, lease: Lease) -> None:
        if lease.forgettable and self.rounds.idle(lease):
            del self._leases[lease.meter.subject]
        else:
            lease.called_back = True
            self.rounds.begin(lease)

    def _failed(self) -> None:
        self._observer.store_failure(ROLE)
        self.down = True

    def _take_locally(self, wants: Sequence[Want]) -> list[Taken]:
        """What the meters' fallbacks allow without the store; all or nothing."""
        now = self._clock.monotonic()
        allowed = []
        for lease, *amounts in wants:
            requests, tokens, slots = amounts
            away = now - self.rounds.heard
            leased = allows_locally(lease, (requests, tokens, slots), now, away, self.rounds.censuses)
            if leased is None and not lease.meter.shadow:
                self._degraded(wants, "refused")
                raise RefusedError(lease, None)
            if leased is not None:
                allowed.append((lease, (requests, tokens, slots), leased))
        self._degraded(wants, "admitted")
        return [lease.take(*amounts, now, leased=leased) for lease, amounts, leased in allowed]

    def _degraded(self, wants: Sequence[Want], decision: str) -> None:
        """Requests are counted; calls that wait for their turn at an upstream are decided again and again."""
        if wants and wants[0][0].meter.scope is not Scope.UPSTREAM:
            self._observer.degraded(decision)
