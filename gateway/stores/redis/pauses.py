"""E: how long upstream keys rest, in Redis (ports.Pauses)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

MS: Final = 1_000


class RedisPauses:
    """Gateways that share a Redis and a prefix share pauses. Time is the server's; `clock_ms` replaces it in tests."""

    def __init__(self, line: Line, keys: Keys, clock_ms: Callable[[], int] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._clock_ms = clock_ms
        self._pause = Script("ring", "pause")
        self._paused = Script("ring", "paused")

    async def paused(self, name: str) -> float:
        """As Pauses.paused. Raises StoreError."""
        milliseconds = await self._paused.run(self._line, (self._keys.pause(name),), (self._now(),))
        return float(milliseconds) / MS

    async def pause(self, name: str, seconds: float) -> None:
        """As Pauses.pause. Raises StoreError."""
        await self._pause.run(self._line, (self._keys.pause(name),), (self._now(), max(1, int(seconds * MS))))

    def _now(self) -> int | str:
        return "" if self._clock_ms is None else self._clock_ms()
