"""E: the cache as the console sees it: counted, emptied, and how full its store is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODELS
from gateway.edge.console.stock import Contents, Purged, Room, Shelf
from gateway.plan.origin import tag
from gateway.stores.redis.inventory import Choice, Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

_UNNAMED = "(not named)"


class CacheStock:
    """console.stock.Stock; `served` gives the names of the models that there may be beside the catalogue's."""

    def __init__(self, line: Line, keys: Keys, served: Callable[[], Iterable[str]]) -> None:
        self._line = line
        self._served = served
        self._inventory = Inventory(line.client, keys)

    async def room(self) -> Room | None:
        """As Stock.room. Raises StoreError."""
        if self._line.clustered:
            return None
        asked = (self._line.queue("DBSIZE"), self._line.queue("INFO", "memory"), self._line.queue("INFO", "stats"))
        replies: tuple[Any, Any, Any] = await asyncio.gather(*asked)
        keys, memory, stats = replies
        return Room(
            keys=int(keys),
            used=int(memory["used_memory"]),
            most=int(memory["maxmemory"]),
            policy=str(memory["maxmemory_policy"]),
            evicted=int(stats["evicted_keys"]),
            expired=int(stats["expired_keys"]),
        )

    async def contents(self) -> Contents:
        """As Stock.contents. Raises StoreError."""
        stats = await self._inventory.stats()
        names = {tag(name): name for name in (*CATALOGUE, *(model.name for model in LOCAL_MODELS), *self._served())}
        shelves = [
            Shelf(
                _UNNAMED if model is None else names.get(model, model.hex()), share.entries, share.bytes, share.tokens
            )
            for model, share in sorted(stats.models.items(), key=lambda entry: -entry[1].bytes)
        ]
        return Contents(shelves, stats.oldest, stats.newest)

    async def purge(self, model: str, tenant: str, before: int | None) -> Purged:
        """As Stock.purge. Raises StoreError."""
        done = await self._inventory.purge(
            Choice(tag(model) if model else None, tag(tenant) if tenant else None, before)
        )
        return Purged(done.entries, done.unnamed)
