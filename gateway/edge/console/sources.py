"""C: what the console's pages show, asked of the parts that know it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.config.addresses import address
from gateway.dispatch.health import State
from gateway.edge.console.lately import states
from gateway.errors import StoreError
from gateway.settle.statement import By, figures, grouped, hours
from gateway.vocabulary import Tally, total

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from gateway.administration.administrator import Administrator
    from gateway.admit.standing import Standing
    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.fleet import Fleet, Place
    from gateway.edge.console.lately import Lately
    from gateway.edge.console.stock import Stock
    from gateway.ports import Clock, Ledger, QuotaStore
    from gateway.ports.jobs import Jobs
    from gateway.vocabulary import Account

    Rows = list[tuple[Account, Tally]]
    Sums = tuple[Mapping[tuple[str, str], Mapping[str, float]], Mapping[str, Mapping[str, float]], Mapping[str, float]]

DAY = 86_400
MOST_TENANTS = 200
"""Tenants that a page adds up: each is a question to the store."""

WELL = "well"

_AT_ONCE = 8
_STATES = {State.CLOSED: WELL, State.OPEN: "open", State.HALF_OPEN: "half open"}


@dataclass(frozen=True, slots=True)
class Sources:
    """`workers` is how many share the limits now, as this one has heard. Methods raise StoreError.

    `sums` are savings by model and cause, inputs by endpoint and source, and what the in-process layers hold, of all
    workers since the gateway started.
    """

    desk: Administrator
    ledger: Ledger
    jobs: Jobs
    store: QuotaStore
    fleet: Fleet
    clock: Clock
    snapshot: Callable[[], Snapshot]
    workers: Callable[[], int]
    lately: Lately
    standing: Standing
    stock: Stock
    sums: Callable[[], Awaitable[Sums]]

    async def store_well(self) -> bool:
        """Whether the store answers."""
        try:
            await self.store.ping()
        except StoreError:
            return False
        return True

    async def rows(self, tenants: Iterable[str], days: int) -> Rows:
        """The ledger's rows of some tenants, of today and the days before (UTC)."""
        now, turns = self.clock.epoch(), asyncio.Semaphore(_AT_ONCE)
        since, until = hours((now // DAY - days + 1) * DAY, now + 1)

        async def of(tenant: str) -> Rows:
            async with turns:
                return await self.ledger.rows(tenant, since, until)

        found = await asyncio.gather(*(of(tenant) for tenant in tenants))
        return [row for rows in found for row in rows]

    async def tenants(self) -> list[str]:
        """Everybody who ever called, is configured, or was made at run time; the first MOST_TENANTS by name."""
        accounts = await self.desk.accounts()
        names = {*self.desk.config.tenants, *accounts.tenants, *await self.ledger.tenants()}
        return sorted(names)[:MOST_TENANTS]

    async def backends(self) -> list[dict[str, object]]:
        """Each backend with its models, as all workers find them; as this one does while the store is away."""
        snapshot = self.snapshot()
        try:
            reports = await self.lately.reports()
        except StoreError:
            reports = []
        known = states(reports or [{"places": self.places()}])
        routes = {
            (route.backend, route.backend_model) for served in snapshot.served.values() for route in served.routes
        }
        told: list[dict[str, object]] = []
        for name, backend in snapshot.config.backends.items():
            models = [
                {"name": model, **_said(*known.get((name, model), (Counter(), 0)), len(reports))}
                for model in sorted(model for owner, model in routes if owner == name)
            ]
            told.append({"name": name, "dialect": backend.dialect, "url": address(backend.url), "models": models})
        return told

    def places(self) -> list[tuple[str, str, str, int]]:
        """Each place that this worker has asked: backend, model, state, tokens under way."""
        now = self.clock.monotonic()
        return [(place.backend, place.model, _state(place, now), place.outstanding) for place in self.fleet.places()]


def _state(place: Place, now: float) -> str:
    return "ejected" if place.ejection.out(now) else _STATES[place.breaker.state(now)]


def _said(found: Counter[str], tokens: int, workers: int) -> dict[str, object]:
    """How a place is, in words; one that nobody asked yet counts as well."""
    unwell = [f"{state} at {count} of {workers}" for state, count in sorted(found.items()) if state != WELL]
    if unwell and workers <= 1:
        unwell = [state for state in sorted(found) if state != WELL]
    state = ", ".join(unwell) or (WELL if found else "not asked yet")
    return {"state": state, "well": not unwell, "tokens": tokens}


def report(rows: Rows, by: By) -> list[dict[str, Any]]:
    """Rows as figures with the name they are grouped by, `saved` in per cent of the tokens that were asked for."""
    return [{"name": name, **summed(tally)} for name, tally in grouped(rows, by).items()]


def all_of(rows: Rows) -> dict[str, object]:
    """The sum of all rows."""
    return summed(total(tally for _, tally in rows))


def summed(tally: Tally) -> dict[str, object]:
    """Figures of a tally, and which share of its tokens was had for nothing, in per cent."""
    asked = tally.upstream_tokens + tally.saved_tokens
    return {**figures(tally), "saved_share": round(100 * tally.saved_tokens / asked) if asked else 0}


def tokens_of(tally: Tally) -> tuple[int, int]:
    """What was paid for and what was saved."""
    return tally.upstream_tokens, tally.saved_tokens


def money_of(tally: Tally) -> tuple[int, int]:
    """The same in nano-dollars."""
    return tally.nanos, tally.saved_nanos


def days_of(
    rows: Rows, now: int, days: int, amounts: Callable[[Tally], tuple[int, int]] = tokens_of
) -> list[tuple[str, int, int]]:
    """What was paid for and saved on each day, or in each hour of a single day; also where nothing was asked."""
    hours_each = 1 if days == 1 else 24
    first = now // DAY - days + 1
    begins = range(first * 24 // hours_each, (first + days) * 24 // hours_each)
    sums: dict[int, tuple[int, int]] = dict.fromkeys(begins, (0, 0))
    for account, tally in rows:
        at = account.hour // hours_each
        paid, saved = sums.get(at, (0, 0))
        more_paid, more_saved = amounts(tally)
        sums[at] = (paid + more_paid, saved + more_saved)
    name = "%H:00" if days == 1 else "%m-%d"
    return [(_named(at * hours_each, name), paid, saved) for at, (paid, saved) in sorted(sums.items())]


def _named(hour: int, form: str) -> str:
    return datetime.fromtimestamp(hour * 3_600, UTC).strftime(form)
