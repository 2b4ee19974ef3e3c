"""C: a tenant's budgets and balance as meters, with what was topped up, and what the ledger has of their periods."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.admit import budget
from gateway.errors import StoreError
from gateway.vocabulary import SECONDS_PER_HOUR, Limits, Meter, Scope, total

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.config.spending import Balance
    from gateway.ports import Clock, Ledger, Unit
    from gateway.vocabulary import Caller

FRESH_SECONDS = 1.0
"""A top-up counts after so long at the latest."""


@dataclass(slots=True)
class _ToppedUp:
    amount: int = 0
    at: float = float("-inf")


class Budgets:
    """One for a worker. Tenants without budgets cost a look into a dictionary."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._topped_up: dict[str, _ToppedUp] = {}
        self._known: dict[str, tuple[str, budget.Meter]] = {}

    async def meters(self, snapshot: Snapshot, caller: Caller) -> tuple[Meter, ...]:
        """What a caller's tenant may spend now; a store that is away leaves top-ups as they were last seen."""
        _, balance = snapshot.spending(caller.tenant, caller.tier)
        if balance is not None:
            await self._look(caller.tenant, balance)
        return self._meters(snapshot, caller)

    def at_once(self, snapshot: Snapshot, caller: Caller) -> tuple[Meter, ...] | None:
        """As `meters`, unless the ledger must be asked for top-ups."""
        _, balance = snapshot.spending(caller.tenant, caller.tier)
        return None if balance is not None and self._is_stale(caller.tenant) else self._meters(snapshot, caller)

    def _meters(self, snapshot: Snapshot, caller: Caller) -> tuple[Meter, ...]:
        tenant = caller.tenant
        budgets, balance = snapshot.spending(tenant, caller.tier)
        if not budgets and balance is None:
            return ()
        topped_up = 0 if balance is None else self._topped_up[tenant].amount
        fallback = snapshot.config.limits.when_store_fails
        found = []
        for meter in budget.meters(budgets, balance, self._clock.epoch(), topped_up):
            subject = f"b:{tenant}:{meter.name}"
            self._known[subject] = (tenant, meter)
            limits, money = Limits(None, meter.limit, None), meter.unit == "nanos"
            found.append(
                Meter(subject, Scope.BUDGET, limits, not meter.hard, fallback, period=meter.start, money=money)
            )
        return tuple(found)

    async def used(self, meter: Meter) -> int:
        """What the ledger has of a budget's period, in the meter's unit. Raises StoreError."""
        tenant, known = self._known[meter.subject]
        if known.name == budget.BALANCE:
            tally = await self._ledger.lifetime(tenant)
        else:
            until = self._clock.epoch() // SECONDS_PER_HOUR + 1
            rows = await self._ledger.rows(tenant, known.start // SECONDS_PER_HOUR, until)
            tally = total(tally for _, tally in rows)
        return tally.nanos if meter.money else tally.upstream_tokens

    def _is_stale(self, tenant: str) -> bool:
        known = self._topped_up.get(tenant)
        return known is None or self._clock.monotonic() - known.at >= FRESH_SECONDS

    async def _look(self, tenant: str, balance: Balance) -> None:
        """Ask for what was topped up, where that was not done just now."""
        if not self._is_stale(tenant):
            return
        known = self._topped_up.setdefault(tenant, _ToppedUp())
        known.at = self._clock.monotonic()
        unit: Unit = "nanos" if balance.starting_usd is not None else "tokens"
        with suppress(StoreError):
            known.amount = await self._ledger.topped_up(tenant, unit)
