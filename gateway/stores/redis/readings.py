"""E: what is used of meters, read from their rings and holds in Redis (ports.Readings); nothing is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from gateway.ports import Amounts
from gateway.stores.redis.live import pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Meter

COUNTED: Final = 61
"""As in ring.lua: buckets of one second that count."""

_SUMS: Final = ("=r", "=t", "=c", "=ir", "=it", "=ic")


class RedisReadings:
    """Reads what the scripts of quota.py keep. `now` is in seconds; a clock that is off by one misses one bucket."""

    def __init__(self, line: Line, keys: Keys, now: Callable[[], int]) -> None:
        self._line = line
        self._keys = keys
        self._now = now

    async def used(self, meters: Sequence[Meter]) -> list[Amounts | None]:
        """As Readings.used. Raises StoreError."""
        return await asyncio.gather(*map(self._read, meters))

    async def _read(self, meter: Meter) -> Amounts | None:
        requests, tokens, holds, _ = self._keys.quota(meter.subject)
        asked = (
            self._line.queue("HGETALL", requests),
            self._line.queue("HGETALL", tokens),
            self._line.queue("HMGET", holds, *_SUMS),
        )
        replies: tuple[Any, Any, Any] = await asyncio.gather(*asked)
        ring_r, ring_t = _numbers(replies[0]), _numbers(replies[1])
        if meter.period is not None and ring_t.get("h") != meter.period:
            return None
        held = [int(value or 0) for value in replies[2]]
        now = self._now()
        tokens_spent = ring_t.get("s", 0) if meter.period is not None else _counted(ring_t, now)
        return Amounts(
            _counted(ring_r, now) + held[0] - held[3],
            tokens_spent + held[1] - held[4],
            held[2] - held[5],
        )


def _numbers(reply: Any) -> dict[str, int]:  # noqa: ANN401 - a reply, of either form
    return {name.decode(): int(value) for name, value in pairs(reply).items()}


def _counted(ring: Mapping[str, int], now: int) -> int:
    """What lies in buckets that still count; each is named by the remainder of its second."""
    head = ring.get("h", 0)
    return sum(
        amount
        for name, amount in ring.items()
        if name not in {"h", "s"} and head - (head - int(name)) % COUNTED > now - COUNTED
    )
