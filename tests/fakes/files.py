"""P: files (ports.Files) in a dict, which can be away, and inputs (ports.InputSource) by address."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import StoreError, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class FakeFiles:
    """`down` makes every call fail; `kept` are the files by name."""

    kept: dict[str, bytes] = field(default_factory=dict)
    down: bool = False

    async def put(self, name: str, content: bytes) -> None:
        self._check()
        self.kept[name] = content

    async def get(self, name: str) -> bytes | None:
        self._check()
        return self.kept.get(name)

    async def delete(self, prefix: str) -> None:
        self._check()
        self.kept = {name: content for name, content in self.kept.items() if not name.startswith(prefix)}

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")


@dataclass
class FakeInput:
    """Gives the lines that `pages` holds for an address."""

    pages: dict[str, list[bytes]] = field(default_factory=dict)

    async def lines(self, url: str) -> AsyncIterator[bytes]:
        if url not in self.pages:
            raise TransportError("unreachable")
        for line in self.pages[url]:
            yield line
