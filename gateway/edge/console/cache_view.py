"""E: the cache page, and taking answers out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import FieldError, invalid_request
from gateway.vocabulary.when import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.edge.console.sources import Sources
    from gateway.edge.console.stock import Purged
    from gateway.tasks import TaskGroup

    Content = dict[str, object]
    Query = Mapping[str, str]

QUICK_KEYS = 50_000
"""With fewer keys in the store, its entries are counted whenever the page is loaded; else when asked."""

PATIENCE_SECONDS = 10.0
"""A purge that takes longer goes on by itself."""

_KEPT = ("model", "tenant", "before")


class CacheView:
    """Raises GatewayError and StoreError."""

    def __init__(self, sources: Sources, tasks: TaskGroup) -> None:
        self._sources = sources
        self._tasks = tasks

    async def page(self, query: Query, purged: Purged | None = None, *, runs: bool = False) -> Content:
        """What is stored, what it saved, and a form to take some out."""
        sources = self._sources
        room = await sources.stock.room()
        counts = "count" in query or (room is not None and room.keys <= QUICK_KEYS)
        saved, units, memory = await sources.sums()
        config = sources.snapshot().config.cache
        return {
            "room": room,
            "contents": await sources.stock.contents() if counts else None,
            "saved": sorted(saved.items(), key=lambda entry: -entry[1]["tokens"]),
            "memory": memory,
            "units": sorted(units.items()),
            "settings": config,
            "models": sorted({entry.model.name for entry in sources.snapshot().served.values()}),
            "tenants": await sources.tenants(),
            "purged": purged,
            "runs": runs,
            "asked": None,
        }

    async def purge(self, form: Query, address: str) -> Content:
        """Asks first; with `confirm`, does it and logs who did."""
        chosen = {name: form[name] for name in _KEPT if form.get(name)}
        before = self._before(chosen.get("before"))
        if form.get("confirm") != "yes":
            return {"asked": chosen, "models": [], "tenants": []}
        await self._sources.desk.note(f"console:{address}", "cache purged", chosen.get("model", "all"), chosen)
        stock = self._sources.stock
        work = self._tasks.spawn(
            stock.purge(chosen.get("model", ""), chosen.get("tenant", ""), before), "purge of the cache"
        )
        done, _ = await asyncio.wait({work}, timeout=PATIENCE_SECONDS)
        return await self.page({}, work.result()) if done else await self.page({}, runs=True)

    def _before(self, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            return moment(text, self._sources.clock.epoch())
        except (ValueError, OverflowError):
            sentence = "must be a time (2026-01-31T12:00, UTC) or an age (7d, 12h)"
            raise invalid_request((FieldError("body -> before", sentence, "moment_invalid"),)) from None
