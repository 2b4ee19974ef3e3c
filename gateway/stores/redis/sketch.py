"""E: a sampled trace of what the cache was asked, for `gateway cache whatif`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.stores.redis.client import store_errors

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from typing import Any

    from gateway.stores.redis.client import Client, Line
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import ItemKey

LONGEST = 100_000
"""Accesses kept, or a few more: the server drops old ones in blocks."""

READ_AT_ONCE = 1_000
MS = 1_000
_FIELD = b"a"


class Sketch:
    """Records accesses to one address in 256 (settle.whatif.SAMPLED); the others cost nothing."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._key = keys.sketch

    def sampled(self, keys: Sequence[ItemKey]) -> tuple[ItemKey, ...]:
        """As Trace.sampled: addresses are evenly spread, and a digest's first byte is as good as any."""
        return tuple({key.address: key for key in keys if not key.address[0]}.values())

    def seen(self, keys: Sequence[ItemKey]) -> None:
        """Write down that these were asked for; nobody waits, and what the store does not take is lost.

        The store's clock tells when, so that gateways need no common one.
        """
        for key in self.sampled(keys):
            written = self._line.queue("XADD", self._key, "MAXLEN", "~", LONGEST, "*", _FIELD, key.address)
            written.add_done_callback(_forget)


def _forget(written: asyncio.Future[Any]) -> None:
    """Look at the failure, so that asyncio does not complain that nobody did."""
    if not written.cancelled():
        written.exception()


async def accesses(client: Client, keys: Keys) -> list[tuple[float, bytes]]:
    """Everything recorded, oldest first: seconds since 1970 by the store's clock, and address. Raises StoreError."""
    found: list[tuple[float, bytes]] = []
    start = "-"
    while True:
        with store_errors():
            page: list[Any] = await client.xrange(keys.sketch, start, "+", READ_AT_ONCE) or []
        found += ((int(identifier.partition(b"-")[0]) / MS, bytes(fields[_FIELD])) for identifier, fields in page)
        if len(page) < READ_AT_ONCE:
            return found
        start = "(" + page[-1][0].decode()
