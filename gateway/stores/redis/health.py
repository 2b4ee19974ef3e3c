"""E: how the store itself is: what INFO says, summed over the primaries of a cluster, and how long that took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.stores.redis.client import ask_all, store_errors
from gateway.stores.redis.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.stores.redis.client import Line

FIGURES: Mapping[str, str] = {
    "memory_bytes": "used_memory",
    "memory_limit_bytes": "maxmemory",
    "clients": "connected_clients",
    "commands": "total_commands_processed",
    "evicted_keys": "evicted_keys",
    "expired_keys": "expired_keys",
    "keyspace_hits": "keyspace_hits",
    "keyspace_misses": "keyspace_misses",
    "rejected_connections": "rejected_connections",
}
"""Our words for the server's."""


async def figures(line: Line) -> dict[str, float]:
    """FIGURES, `keys` (of all databases) and `nodes`. Raises StoreError."""
    found = [_figures(said) for said in await _told(line)]
    return {name: sum(one[name] for one in found) for name in found[0]} | {"nodes": float(len(found))}


async def _told(line: Line) -> list[dict[str, Any]]:
    client = line.client
    if not isinstance(client, Cluster):
        return [await line.ask("INFO")]
    with store_errors():
        await client.initialize()
        replies = [reply for node in client.get_primaries() for reply in await ask_all(client, [("INFO",)], node)]
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return replies


def _figures(said: Mapping[str, Any]) -> dict[str, float]:
    keys = sum(entry["keys"] for name, entry in said.items() if name.startswith("db") and isinstance(entry, dict))
    return {ours: float(said.get(theirs, 0)) for ours, theirs in FIGURES.items()} | {"keys": float(keys)}
