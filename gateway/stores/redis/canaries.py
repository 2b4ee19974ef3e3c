"""E: canaries in Redis (ports.Canaries): claims that end by themselves, vectors that stay, names that are odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

CLAIM_SECONDS = 7_200
"""An hour, and another for clocks that differ."""

ODD_SECONDS = 10_800
"""Each hour publishes anew. What nobody publishes any more is not held against a backend for ever."""


class RedisCanaries:
    """No command touches two keys, so a cluster will do."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    async def claim(self, revision: str, hour: int) -> bool:
        """True for the first who asks. Raises StoreError."""
        name = self._keys.canary_claim(revision, hour)
        return bool(await self._line.ask("SET", name, 1, "NX", "EX", CLAIM_SECONDS))

    async def reference(self, revision: str) -> bytes | None:
        """The vector that is remembered. Raises StoreError."""
        found = await self._line.ask("GET", self._keys.canary(revision)[0])
        return found if isinstance(found, bytes) else None

    async def remember(self, revision: str, vector: bytes) -> bytes:
        """Remember the first one, for good; what is remembered then. Raises StoreError."""
        await self._line.ask("SET", self._keys.canary(revision)[0], vector, "NX")
        return await self.reference(revision) or vector

    async def publish(self, revision: str, odd: AbstractSet[str]) -> None:
        """Put these names in the place of the last. Raises StoreError."""
        name = self._keys.canary(revision)[1]
        await self._line.ask("SET", name, orjson.dumps(sorted(odd)), "EX", ODD_SECONDS)

    async def odd(self, revision: str) -> frozenset[str]:
        """The names that were published last. Raises StoreError."""
        found = await self._line.ask("GET", self._keys.canary(revision)[1])
        return frozenset(orjson.loads(found)) if found else frozenset()
