"""C: a request's hold on its meters, as a construct that always settles: `async with admission.reserve(…)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from gateway.admit.limits import refusal, remaining
from gateway.admit.meters import tenant_meter
from gateway.errors import StoreError, ip_limit_exceeded
from gateway.leasing.leases import RefusedError
from gateway.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from collections.abc import Set as AbstractSet

    from gateway import ports
    from gateway.leasing.lease import Taken
    from gateway.leasing.leases import Leases, Want
    from gateway.stages import Timed
    from gateway.vocabulary import Charge, Facts, Meter, Remaining

ROLE = "quota"
_NOTHING: frozenset[str] = frozenset()


class Reservation:
    """What one request has taken, between the door and settlement; made by `Admission.reserve` only."""

    def __init__(self, leases: Leases, meters: Sequence[Meter], facts: Facts, door: list[Taken] | None = None) -> None:
        """`door` is what was taken by `at_the_door` before; whoever has it must `settle`."""
        self.facts = facts
        self._leases = leases
        self._meters = meters
        self._door: list[Taken] = door or []
        self._covered: list[Taken] = []
        self._kept = 1
        self._spent = (0, 0, 0)

    async def __aenter__(self) -> Self:
        """Take one request and one slot of every meter, or nothing of any.

        Raises:
            GatewayError: RATE_REQUEST_LIMIT_EXCEEDED, RATE_CONCURRENCY_LIMIT_EXCEEDED, RATE_IP_LIMIT_EXCEEDED or
                SERVICE_UNAVAILABLE.
        """
        self._door = await self._take(_entrance(self._leases, self._meters))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Settle, whatever happened."""
        self.settle()

    def count_in(self, meters: Sequence[Meter]) -> None:
        """Budgets, which a call is held to only once it costs something."""
        self._meters = (*self._meters, *meters)

    async def cover(self, tokens: int, paid: int = 0, nanos: int = 0) -> None:
        """Take `tokens` of the windows, and `paid` tokens or `nanos` (nano-dollars) of budgets; zero asks nobody.

        A refusal gives the request back, too: who is refused has used up nothing.

        Raises:
            GatewayError: RATE_TOKEN_LIMIT_EXCEEDED, AUTHZ_INSUFFICIENT_BALANCE or SERVICE_UNAVAILABLE.
        """
        wants = self._wants(tokens, paid, nanos)
        if not wants:
            return
        self._kept = 0
        self._covered = await self._take(wants, tokens)
        self._kept = 1

    def cover_at_once(self, tokens: int, paid: int, nanos: int) -> bool:
        """As `cover`, if all of it is idle here; False: nothing was taken."""
        wants = self._wants(tokens, paid, nanos)
        if not wants:
            return True
        taken = self._leases.taken_at_once(wants)
        self._covered = taken or []
        return taken is not None

    def uncover(self) -> None:
        """Give back what was covered; what was taken at the door is kept."""
        for taken in self._covered:
            self._leases.settle(taken, 0, 0)
        self._covered = []

    def _wants(self, tokens: int, paid: int, nanos: int) -> list[Want]:
        of = self._leases.of
        amounts = [(meter, _amount(meter, tokens, paid, nanos)) for meter in self._meters]
        return [(of(meter), 0, amount, 0) for meter, amount in amounts if amount > 0]

    def record(self, charge: Charge, tokens: int, paid: int = 0, nanos: int = 0) -> None:
        """What the request cost; it stays in its meters, however the request ends."""
        self.facts.reported_tokens = charge.reported
        self.facts.upstream_tokens = charge.upstream
        self._spent = (tokens, paid, nanos)

    def settle(self) -> None:
        """Correct what was taken to what was really used and free the slot; nothing is waited for."""
        settle, spent = self._leases.settle, self._spent
        covered = {taken.lease.meter.subject for taken in self._covered} if self._covered else _NOTHING
        for taken in self._door:
            meter = taken.lease.meter
            settle(taken, self._kept, 0 if meter.subject in covered else _amount(meter, *spent))
        for taken in self._covered:
            settle(taken, 0, _amount(taken.lease.meter, *spent))
        if spent[1]:
            self._settle_budgets(covered)
        self.show()

    def _settle_budgets(self, covered: AbstractSet[str]) -> None:
        """Charge to budgets what nobody thought would cost anything."""
        for meter in self._meters:
            amount = _amount(meter, *self._spent)
            if meter.scope is Scope.BUDGET and meter.subject not in covered and amount:
                lease = self._leases.of(meter)
                self._leases.settle(lease.nothing(self._leases.now), 0, amount)

    async def _take(self, wants: list[Want], tokens: int = 0) -> list[Taken]:
        try:
            taken = self._leases.taken_at_once(wants)
            if taken is None:
                taken = await self._leases.take(wants)
        except RefusedError as error:
            failure = refusal(error.lease.meter, error.grant, tokens)
            self.show()
            failure.remaining = self.facts.remaining
            raise failure from None
        return taken

    def show(self) -> None:
        """Say in the facts what is left now: a streamed answer tells it before it is settled."""
        meter = tenant_meter(self._meters)
        if meter is not None:
            self.facts.remaining = remaining(self._leases.of(meter).used, meter.limits)


def at_the_door(leases: Leases, meters: Sequence[Meter]) -> list[Taken] | None:
    """What entering takes, if nothing is to be waited for; None: nothing was taken."""
    return leases.taken_at_once(_entrance(leases, meters))


def free_of_charge(leases: Leases, door: Sequence[Taken]) -> None:
    """End a request that used nothing but itself; as settling a reservation of which that was recorded."""
    for taken in door:
        leases.settle(taken, 1, 0)


def _entrance(leases: Leases, meters: Sequence[Meter]) -> list[Want]:
    """One request and one slot of every meter that is no budget."""
    of = leases.of
    return [(of(meter), 1, 0, 1) for meter in meters if meter.scope is not Scope.BUDGET]


def _amount(meter: Meter, tokens: int, paid: int, nanos: int) -> int:
    """What counts in a meter."""
    if meter.scope is not Scope.BUDGET:
        return tokens
    return nanos if meter.money else paid


class Held:
    """For `async with`: a reservation, of which entering and leaving are timed where they succeed."""

    __slots__ = ("_entering", "_entry", "_exit", "_quota")

    def __init__(self, entering: Awaitable[Reservation], entry: Timed, leaving: Timed) -> None:
        self._entering = entering
        self._entry = entry
        self._exit = leaving
        self._quota: Reservation | None = None

    async def __aenter__(self) -> Reservation:
        """Raises as `Reservation` does."""
        self._entry.begin()
        quota = self._quota = await self._entering
        self._entry.end()
        return quota

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Settle, whatever happened."""
        self._exit.begin()
        if self._quota is not None:
            self._quota.settle()
        if kind is None:
            self._exit.end()


class Admission:
    """Holds requests to their meters."""

    def __init__(self, leases: Leases, store: ports.QuotaStore, observer: ports.Observer) -> None:
        self._leases = leases
        self._store = store
        self._observer = observer

    def reserve(self, meters: Sequence[Meter], facts: Facts) -> Reservation:
        """For `async with`: hold one request and one slot of every meter while the block runs.

        Entering raises GatewayError when a meter refuses, or when the store is down and its fallback refuses. Leaving
        settles once, whatever happens; `facts.remaining` is then what is left.
        """
        return Reservation(self._leases, meters, facts)

    async def remaining(self, meters: Sequence[Meter]) -> Remaining | None:
        """What is left, for answers that were never admitted; None when the store cannot say."""
        meter = tenant_meter(meters)
        used = None if meter is None else await self._leases.usage(meter)
        return None if meter is None or used is None else remaining(used, meter.limits)

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
