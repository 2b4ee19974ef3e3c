"""P: canaries (ports.Canaries) in dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class FakeCanaries:
    """`down` makes it a store that fails."""

    def __init__(self) -> None:
        self.down = False
        self.claimed: set[tuple[str, int]] = set()
        self.vectors: dict[str, bytes] = {}
        self.published: dict[str, frozenset[str]] = {}

    async def claim(self, revision: str, hour: int) -> bool:
        self._check()
        first = (revision, hour) not in self.claimed
        self.claimed.add((revision, hour))
        return first

    async def reference(self, revision: str) -> bytes | None:
        self._check()
        return self.vectors.get(revision)

    async def remember(self, revision: str, vector: bytes) -> bytes:
        self._check()
        return self.vectors.setdefault(revision, vector)

    async def publish(self, revision: str, odd: AbstractSet[str]) -> None:
        self._check()
        self.published[revision] = frozenset(odd)

    async def odd(self, revision: str) -> frozenset[str]:
        self._check()
        return self.published.get(revision, frozenset())

    def _check(self) -> None:
        if self.down:
            raise StoreError("the store is down")
