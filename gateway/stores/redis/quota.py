"""E: windows and what workers hold of them in Redis (ports.QuotaStore): one script a statement."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from gateway.ports import Amounts, Census, Grant, Outcome
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Statement
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

OUTCOMES: Final = (Outcome.TOLD, Outcome.LOST, Outcome.WAIT, Outcome.SPENT, Outcome.UNSEEDED)
SHORT_OF: Final = (None, "requests", "concurrency", "tokens")
"""By the numbers in exchange.lua's reply."""

EXPIRE_MS = 130_000
"""Meters that expire are forgotten two windows after their last use."""

MS = 1_000


class RedisQuota:
    """The quota store. Gateways that share a Redis and a prefix share limits.

    Time is the server's, so that gateways need no common clock; `clock_ms` replaces it in tests only. What a holder
    holds counts as used until `lease_seconds` after its last statement, and for a window more.
    """

    def __init__(self, line: Line, keys: Keys, lease_seconds: float, clock_ms: Callable[[], int] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._lease_ms = int(lease_seconds * MS)
        self._clock_ms = clock_ms
        self._exchange = Script("ring", "holds", "exchange")
        self._register = Script("ring", "register")
        self._hit = Script("ring", "hit")

    async def exchange(self, statement: Statement, run: str = "", *, patient: bool = False) -> Grant:
        """As QuotaStore.exchange. Raises StoreError."""
        meter, held = statement.meter, statement.restored or Amounts()
        limits = meter.limits
        arguments = (
            self._now(),
            statement.holder,
            statement.number,
            -1 if meter.period is None else meter.period,
            self._lease_ms,
            self._keys.calls_back,
            meter.subject,
            run,
            statement.holders,
            EXPIRE_MS if meter.expires else 0,
            int(statement.leaves),
            *(-1 if limit is None else limit for limit in (limits.requests, limits.tokens, limits.concurrency)),
            *statement.released,
            *statement.idle,
            *statement.least,
            *statement.needed,
            *statement.wanted,
            2 if statement.rejoins else int(statement.restored is not None),
            *held,
            -1 if statement.seed is None else statement.seed,
            int(patient),
            *(value for spend in statement.spent for value in spend),
        )
        reply = await self._exchange.run(self._line, self._keys.quota(meter.subject), arguments)
        outcome, requests, tokens, slots, *used, short_of, wait_ms, called_back, now_ms, known = reply
        return Grant(
            OUTCOMES[outcome],
            Amounts(requests, tokens, slots),
            Amounts(*used),
            SHORT_OF[short_of],
            None if wait_ms < 0 else wait_ms / MS,
            bool(called_back),
            now_ms / MS,
            known,
        )

    async def register(self, worker: str, seconds: float, predecessor: str = "") -> Census:
        """As QuotaStore.register. Raises StoreError. Each node of a cluster has a run id of its own: none is told."""
        arguments = (self._now(), worker, int(seconds * MS), predecessor)
        workers, rank, now_ms, *absence = await self._register.run(self._line, self._keys.workers, arguments)
        missing, of, returning = absence[0], absence[1], bool(absence[2])
        if self._line.clustered:
            return Census(workers, rank, "", now_ms / MS, missing, of, returning)
        server = await self._line.ask("INFO", "server")
        age = float(server.get("uptime_in_seconds", inf))
        return Census(workers, rank, str(server.get("run_id", "")), now_ms / MS, missing, of, returning, age)

    async def leave(self, worker: str) -> None:
        """As QuotaStore.leave. Raises StoreError."""
        await self._line.ask("ZREM", self._keys.workers[0], worker)

    async def hit(self, counter: str, limit: int) -> float | None:
        """Count an event of `counter`; the seconds to wait when `limit` happened already. Raises StoreError."""
        wait_ms = await self._hit.run(self._line, (self._keys.hits(counter),), (self._now(), limit))
        return wait_ms / MS if wait_ms else None

    async def ping(self) -> None:
        """Return if the store answers; of a cluster, the node that knows the workers. Raises StoreError."""
        await self._line.ask("EXISTS", self._keys.workers[0])

    def _now(self) -> int | str:
        return "" if self._clock_ms is None else self._clock_ms()
