"""P: what batch jobs need of files: a store of named ones, and input that is read from an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Files(Protocol):
    """Files of batch jobs by name, as `batches/ID/output/000012.jsonl`. Raises StoreError when it cannot be reached."""

    async def put(self, name: str, content: bytes) -> None:
        """Keep it, instead of what had the name; nobody ever sees half of it."""
        ...

    async def get(self, name: str) -> bytes | None:
        """What was put there last."""
        ...

    async def delete(self, prefix: str) -> None:
        """Remove every file whose name begins so."""
        ...


class InputSource(Protocol):
    """Reads a client's input from where the client says it is."""

    def lines(self, url: str) -> AsyncIterator[bytes]:
        """Lines without their ends. Raises AddressError (we do not go there), TransportError (no answer, or broken)."""
        ...
