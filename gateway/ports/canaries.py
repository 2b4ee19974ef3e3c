"""P: what workers tell each other about the backends of one model revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Canaries(Protocol):
    """Shared by all workers on one store. Every method raises StoreError when the store cannot answer."""

    async def claim(self, revision: str, hour: int) -> bool:
        """True for the one worker that is to send a revision's canary in that hour (of all time)."""
        ...

    async def reference(self, revision: str) -> bytes | None:
        """The packed vector that the revision is known by, if there is one."""
        ...

    async def remember(self, revision: str, vector: bytes) -> bytes:
        """Know the revision by this vector, unless it is known by another already; the one that it is known by."""
        ...

    async def publish(self, revision: str, odd: AbstractSet[str]) -> None:
        """These backends are odd now and no others, for the other workers to see. Ends by itself after some hours."""
        ...

    async def odd(self, revision: str) -> frozenset[str]:
        """The backends that were last published as odd."""
        ...
