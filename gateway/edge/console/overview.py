"""E: what the overview, the limits page and the JSON behind `gateway top` and /admin/limits are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import orjson

from gateway.admit.standing import MOST_TENANTS, nearest
from gateway.edge.console.chart import HEIGHT, LEFT, WIDTH, stacked
from gateway.edge.console.curves import HEIGHT as PLOT_HEIGHT
from gateway.edge.console.curves import WIDTH as PLOT_WIDTH
from gateway.edge.console.curves import short, usd
from gateway.edge.console.lately import minute, newest, plots, top_tenants
from gateway.edge.console.sources import all_of, days_of, money_of, tokens_of
from gateway.edge.operations import json_response
from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from aiohttp import web

    from gateway.admit.in_force import Bound
    from gateway.edge.console.chart import Bars
    from gateway.edge.console.sources import Rows, Sources

    Content = dict[str, object]
    Query = Mapping[str, str]

Result = TypeVar("Result")

_NEAREST = 5
_TOP = 10
_NANO = 1e-9
SIZES: Content = {
    "plot_width": PLOT_WIDTH,
    "plot_height": PLOT_HEIGHT,
    "width": WIDTH,
    "height": HEIGHT,
    "left": LEFT,
}


class Overview:
    """Methods raise StoreError, except `page`, which works while the store is away, to say so."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def page(self, _query: Query) -> Content:
        """The overview."""
        sources, snapshot = self._sources, self._sources.snapshot()
        return {
            "store": await sources.store_well(),
            "workers": sources.workers(),
            "served": sorted({entry.model.name for entry in snapshot.served.values()}),
            "backends": await sources.backends(),
            "minutes": await _unless_away(self._minutes()),
            "bounds": await _unless_away(self._fullest()),
            "week": await _unless_away(self._week()),
            **SIZES,
        }

    async def _minutes(self) -> Content:
        slots, until = await self._sources.lately.slots()
        return {
            "plots": plots(slots, until),
            "last": minute(slots, until),
            "tenants": top_tenants(slots, until, _NEAREST),
        }

    async def _fullest(self) -> list[Bound]:
        bounds = await self._sources.standing.of(self._sources.snapshot())
        return [bound for bound in nearest(bounds, _NEAREST) if bound.used]

    async def _week(self) -> Content:
        sources = self._sources
        rows = await sources.rows(await sources.tenants(), 7)
        return {"totals": all_of(rows), "stacks": stacks(rows, sources.clock.epoch(), 7)}

    async def limits(self, query: Query) -> Content:
        """The limits page: all, or a tenant's."""
        snapshot, chosen = self._sources.snapshot(), query.get("tenant", "")
        found = await self._sources.standing.of(snapshot, chosen or None)
        tenants = sorted({caller.tenant for caller in snapshot.directory.values()})
        return {
            "bounds": sorted(found, key=_by_fullness),
            "tenants": tenants,
            "tenant": chosen,
            "all": bool(chosen) or len(tenants) <= MOST_TENANTS,
            "address": snapshot.config.limits.rpm_per_address,
            "anonymous": snapshot.anonymous is not None,
            "passthrough": snapshot.passthrough is not None,
        }

    async def live_json(self, _request: web.BaseRequest, _name: str) -> web.Response:
        """GET /admin/live: the last minute and what is about to break."""
        sources = self._sources
        slots, until = await sources.lately.slots()
        bounds = await sources.standing.of(sources.snapshot())
        content = {
            "at": sources.clock.epoch(),
            "workers": sources.workers(),
            "now": newest(slots, until).figures(),
            "minute": minute(slots, until).figures(),
            "limits": [bound.figures() for bound in nearest(bounds, _TOP) if bound.used],
            "backends": await sources.backends(),
            "tenants": [{"tenant": name, "tokens": rate} for name, rate in top_tenants(slots, until, _TOP)],
        }
        return json_response(orjson.dumps(content))

    async def limits_json(self, request: web.BaseRequest, _name: str) -> web.Response:
        """GET /admin/limits?tenant=: every limit in force, and what is used of it."""
        found = await self._sources.standing.of(self._sources.snapshot(), request.query.get("tenant"))
        return json_response(orjson.dumps({"limits": [bound.figures() for bound in found]}))


async def _unless_away(work: Awaitable[Result]) -> Result | None:
    """None where the store does not answer: one part of a page that cannot be had hides no other."""
    try:
        return await work
    except StoreError:
        return None


def stacks(rows: Rows, now: int, days: int) -> list[Bars]:
    """Tokens and money of some days."""
    each = "an hour" if days == 1 else "a day"
    return [
        stacked(f"Tokens {each} (UTC)", days_of(rows, now, days, tokens_of), short),
        stacked(f"Money {each} (UTC)", days_of(rows, now, days, money_of), lambda nanos: usd(nanos * _NANO)),
    ]


def _by_fullness(bound: Bound) -> tuple[float, str, str, str]:
    return (-round(bound.share, 4), bound.tenant, bound.scope.value, bound.name)
