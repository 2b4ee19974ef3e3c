"""E: input of jobs from where a client says it is (ports.files.InputSource)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from gateway.fetch import Fetcher

_MOST_BYTES = 268_435_456
_SECONDS = 600.0


class JobInput:
    """Reads http(s) addresses through the guard."""

    def __init__(self, fetcher: Fetcher, storages: Mapping[str, object], allowed: Sequence[str]) -> None:
        del storages, allowed
        self._fetcher = fetcher

    async def lines(self, url: str) -> AsyncIterator[bytes]:
        """As InputSource.lines."""
        for line in (await self._fetcher.fetch(url, _MOST_BYTES, _SECONDS)).splitlines():
            yield line
