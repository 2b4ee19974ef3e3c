"""E: what gateways did lately in Redis (ports.Live): a hash a slot, and one of the workers' last words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.ports.live import KEPT_SECONDS
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys


AT_ONCE = 30
"""Slots asked for in one go: requests that ask the store meanwhile are not to wait behind a page."""


class RedisLive:
    """Gateways that share a Redis and a prefix are seen together."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys
        self._add = Script("live_add")

    async def add(self, slot: int, amounts: Mapping[str, int]) -> None:
        """As Live.add. Raises StoreError."""
        arguments: list[str | int] = [KEPT_SECONDS]
        for entry in amounts.items():
            arguments += entry
        await self._add.run(self._line, (self._keys.live(slot),), arguments)

    async def slots(self, first: int, until: int) -> dict[int, dict[str, int]]:
        """As Live.slots. Raises StoreError."""
        found: dict[int, dict[str, int]] = {}
        for start in range(first, until, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, until))
            replies = await asyncio.gather(*(self._line.queue("HGETALL", self._keys.live(slot)) for slot in numbers))
            for slot, reply in zip(numbers, replies, strict=True):
                found[slot] = {name.decode(): int(amount) for name, amount in pairs(reply).items()}
        return found

    async def report(self, worker: str, text: bytes) -> None:
        """As Live.report. Raises StoreError."""
        name = self._keys.live_reports
        told = self._line.queue("HSET", name, worker, text)
        await asyncio.gather(told, self._line.queue("EXPIRE", name, KEPT_SECONDS))

    async def reports(self) -> dict[str, bytes]:
        """As Live.reports. Raises StoreError."""
        reply = await self._line.ask("HGETALL", self._keys.live_reports)
        return {name.decode(): text for name, text in pairs(reply).items()}

    async def forget(self, worker: str) -> None:
        """As Live.forget. Raises StoreError."""
        await self._line.ask("HDEL", self._keys.live_reports, worker)


def pairs(reply: dict[bytes, bytes] | list[bytes]) -> dict[bytes, bytes]:
    """A hash as a dictionary, whether or not the client has made one of the reply."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
