"""C: what the console's pages show, asked of the parts that know it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.config.addresses import address
from gateway.dispatch.health import State
from gateway.errors import StoreError
from gateway.settle.statement import By, figures, grouped, hours
from gateway.vocabulary import Tally, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.administration.administrator import Administrator
    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.fleet import Fleet, Place
    from gateway.ports import Clock, Ledger, QuotaStore
    from gateway.ports.jobs import Jobs
    from gateway.vocabulary import Account

    Rows = list[tuple[Account, Tally]]

DAY = 86_400
MOST_TENANTS = 200
"""Tenants that a page adds up: each is a question to the store."""

WELL = "well"

_AT_ONCE = 8
_STATES = {State.CLOSED: WELL, State.OPEN: "open", State.HALF_OPEN: "half open"}


@dataclass(frozen=True, slots=True)
class Sources:
    """`workers` is how many share the limits now, as this one has heard. Methods raise StoreError."""

    desk: Administrator
    ledger: Ledger
    jobs: Jobs
    store: QuotaStore
    fleet: Fleet
    clock: Clock
    snapshot: Callable[[], Snapshot]
    workers: Callable[[], int]

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

    def backends(self) -> list[dict[str, object]]:
        """Each backend of the configuration with its models, as this worker finds them."""
        snapshot, now = self.snapshot(), self.clock.monotonic()
        known = {(place.backend, place.model): place for place in self.fleet.places()}
        routes = {
            (route.backend, route.backend_model) for served in snapshot.served.values() for route in served.routes
        }
        told: list[dict[str, object]] = []
        for name, backend in snapshot.config.backends.items():
            models = [
                {"name": model, **_state(known.get((name, model)), now)}
                for model in sorted(model for owner, model in routes if owner == name)
            ]
            told.append({"name": name, "dialect": backend.dialect, "url": address(backend.url), "models": models})
        return told


def _state(place: Place | None, now: float) -> dict[str, object]:
    """How a place is, in a word; one that nobody asked yet counts as well."""
    if place is None:
        return {"state": "not asked yet", "well": True, "tokens": 0}
    state = "ejected" if place.ejection.out(now) else _STATES[place.breaker.state(now)]
    return {"state": state, "well": state == WELL, "tokens": place.outstanding}


def report(rows: Rows, by: By) -> list[dict[str, object]]:
    """Rows as figures with the name they are grouped by, `saved` in per cent of the tokens that were asked for."""
    return [{"name": name, **summed(tally)} for name, tally in grouped(rows, by).items()]


def all_of(rows: Rows) -> dict[str, object]:
    """The sum of all rows."""
    return summed(total(tally for _, tally in rows))


def summed(tally: Tally) -> dict[str, object]:
    """Figures of a tally, and which share of its tokens was had for nothing, in per cent."""
    asked = tally.upstream_tokens + tally.saved_tokens
    return {**figures(tally), "saved_share": round(100 * tally.saved_tokens / asked) if asked else 0}


def days_of(rows: Rows, now: int, days: int) -> list[tuple[str, int, int]]:
    """Tokens paid for and tokens saved of each day, also of those on which nothing was asked."""
    first = now // DAY - days + 1
    sums: dict[int, tuple[int, int]] = dict.fromkeys(range(first, first + days), (0, 0))
    for account, tally in rows:
        day = account.hour // 24
        paid, saved = sums.get(day, (0, 0))
        sums[day] = (paid + tally.upstream_tokens, saved + tally.saved_tokens)
    return [(_date(day), paid, saved) for day, (paid, saved) in sorted(sums.items())]


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%m-%d")
