"""E: what an upstream allows each key, in Redis (ports.Allowances): one script a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.ports import Allowance
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Limits

SLOT_SECONDS: Final = 0.1
"""When to ask again for a slot: nobody knows when a call will end."""

RENEWED_AT_ONCE = 256
MS = 1_000

_PAUSED, _SLOTS = 1, 4


class RedisAllowances:
    """Windows and slots of upstream keys. Gateways that share a Redis and a prefix share them.

    Time is the server's, so that gateways need no common clock; `clock_ms` replaces it in tests only.
    """

    def __init__(self, line: Line, keys: Keys, lease_seconds: float, clock_ms: Callable[[], int] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._lease_ms = int(lease_seconds * MS)
        self._clock_ms = clock_ms
        self._take = Script("ring", "allowance_take")
        self._settle = Script("ring", "allowance_settle")
        self._renew = Script("ring", "allowance_renew")
        self._pause = Script("ring", "allowance_pause")

    async def take(self, name: str, lease: str, tokens: int, limits: Limits) -> Allowance:
        """Draw one call if there is room and no pause, else nothing. Raises StoreError."""
        bounds = (_limit(limits.requests), _limit(limits.tokens), _limit(limits.concurrency))
        arguments = (self._now(), lease, tokens, *bounds, self._lease_ms)
        refusal, wait_ms, bucket = await self._take.run(self._line, self._keys.allowance(name), arguments)
        if refusal:
            return Allowance(SLOT_SECONDS if refusal == _SLOTS else wait_ms / MS, paused=refusal == _PAUSED)
        return Allowance(stamp=bucket, tokens=tokens)

    async def settle(self, name: str, lease: str, allowance: Allowance, requests: int, tokens: int) -> None:
        """Free the slot and count what was used, now. Raises StoreError."""
        drawn = (allowance.stamp or 0, allowance.tokens)
        arguments = (self._now(), lease, *drawn, requests, tokens)
        await self._settle.run(self._line, self._keys.allowance(name)[:3], arguments)

    async def renew(self, name: str, leases: Sequence[str]) -> None:
        """Keep the slots that these calls still hold. Raises StoreError."""
        key = self._keys.allowance(name)[0]
        for start in range(0, len(leases), RENEWED_AT_ONCE):
            arguments = (self._now(), self._lease_ms, *leases[start : start + RENEWED_AT_ONCE])
            await self._renew.run(self._line, (key,), arguments)

    async def pause(self, name: str, seconds: float) -> None:
        """Grant nobody anything for that long. Raises StoreError."""
        arguments = (self._now(), max(1, int(seconds * MS)))
        await self._pause.run(self._line, (self._keys.allowance(name)[3],), arguments)

    def _now(self) -> int | str:
        return "" if self._clock_ms is None else self._clock_ms()


def _limit(value: int | None) -> int:
    return -1 if value is None else value
