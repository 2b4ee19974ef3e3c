"""E: windows and leases in Redis (ports.QuotaStore): one script a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.ports import Usage, Verdict
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Admission
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

REFUSALS: Final = (None, "requests", "concurrency", "tokens", "settled")
"""By the number in admit.lua's reply; `settled` is a late question of a lease that has ended."""

TOMBSTONE_MS = 120_000
RENEWED_AT_ONCE = 256
MS = 1_000


class RedisQuota:
    """The quota store. Gateways that share a Redis and a prefix share limits.

    Time is the server's, so that gateways need no common clock; `clock_ms` replaces it in tests only. An admitted step
    of a running lease replays its reply; a refusal has written nothing, so asking again asks anew.
    """

    def __init__(self, line: Line, keys: Keys, lease_seconds: float, clock_ms: Callable[[], int] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._lease_ms = int(lease_seconds * MS)
        self._clock_ms = clock_ms
        self._admit = Script("ring", "ledger", "admit")
        self._settle = Script("ring", "ledger", "settle")
        self._renew = Script("ring", "ledger", "renew")
        self._hit = Script("ring", "hit")

    async def admit(self, admission: Admission) -> Verdict:
        """Take what is asked if every limit allows it, else take nothing. Raises StoreError."""
        limits = admission.limits
        arguments = (
            self._now(),
            admission.lease,
            admission.step,
            admission.requests,
            admission.tokens,
            int(admission.slot),
            _limit(limits.requests),
            _limit(limits.tokens),
            _limit(limits.concurrency),
            self._lease_ms,
        )
        reply = await self._admit.run(self._line, self._keys.quota(admission.subject), arguments)
        refusal, wait_ms, requests, tokens, slots = reply
        return Verdict(Usage(requests, tokens, slots), REFUSALS[refusal], wait_ms / MS)

    async def settle(self, subject: str, lease: str, requests: int, tokens: int) -> Usage:
        """End a lease and correct its reservations to what was used; once. Raises StoreError."""
        arguments = (self._now(), lease, requests, tokens, TOMBSTONE_MS)
        return Usage(*await self._settle.run(self._line, self._keys.quota(subject), arguments))

    async def renew(self, subject: str, leases: Sequence[str]) -> None:
        """Keep the slots that these leases still hold. Raises StoreError."""
        keys = self._keys.quota(subject)
        for start in range(0, len(leases), RENEWED_AT_ONCE):
            arguments = (self._now(), self._lease_ms, *leases[start : start + RENEWED_AT_ONCE])
            await self._renew.run(self._line, keys, arguments)

    async def hit(self, counter: str, limit: int) -> float | None:
        """Count an event of `counter`; the seconds to wait when `limit` happened already. Raises StoreError."""
        wait_ms = await self._hit.run(self._line, (self._keys.hits(counter),), (self._now(), limit))
        return wait_ms / MS if wait_ms else None

    async def ping(self) -> None:
        """Return if the store answers. Raises StoreError."""
        await self._line.ask("PING")

    def _now(self) -> int | str:
        return "" if self._clock_ms is None else self._clock_ms()


def _limit(value: int | None) -> int:
    return -1 if value is None else value
