"""E: notices in Redis (ports.Notices): a sorted set of due times, and each change by one script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import StoreError
from gateway.ports import DeadNotice, Notice
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

DEAD_KEPT = 1_000

CLAIM_MS = 35 * 86_400_000
"""A claim is forgotten this long after its period: what a dead worker left comes to the ledger within 30 days."""

JOB_CLAIM_MS = 2 * 86_400_000
"""The same for what clients are told: a worker that died is followed up within minutes, and there are many claims."""

MS = 1_000


class RedisNotices:
    """Those to the operator, or those to clients about their jobs. Time is the server's; `clock_ms` is for tests only.

    Claims are members of one sorted set that is pruned by their ends, not keys with an expiry: those are what a store
    that is short of memory evicts first, and a lost claim would be a second notice.
    """

    def __init__(
        self, line: Line, keys: Keys, clock_ms: Callable[[], int] | None = None, *, of_jobs: bool = False
    ) -> None:
        self._line = line
        self._keys = keys.job_notices if of_jobs else keys.notices
        self._claim_ms = JOB_CLAIM_MS if of_jobs else CLAIM_MS
        self._clock_ms = clock_ms
        self._post = Script("ring", "notice_post")
        self._take = Script("ring", "notice_take")
        self._delay = Script("ring", "notice_delay")
        self._end = Script("ring", "notice_end")
        self._revive = Script("ring", "notice_revive")

    async def post(self, claim: str, ends: int | None, notices: Sequence[Notice]) -> bool:
        """As Notices.post. Raises StoreError."""
        until = "+inf" if ends is None else ends * MS + self._claim_ms
        records = [part for notice in notices for part in (notice.id, _record(notice))]
        return bool(await self._run(self._post, claim, until, *records))

    async def take(self, lease_seconds: float) -> Notice | None:
        """As Notices.take. Raises StoreError."""
        found = await self._run(self._take, int(lease_seconds * MS))
        return _notice(found[0], int(found[1])) if found else None

    async def put_off(self, notice: Notice, seconds: float) -> bool:
        """As Notices.put_off. Raises StoreError."""
        return bool(await self._run(self._delay, notice.id, int(seconds * MS)))

    async def end(self, notice: Notice, why: str = "") -> bool:
        """As Notices.end. Raises StoreError."""
        return bool(await self._run(self._end, notice.id, why, DEAD_KEPT))

    async def dead(self) -> list[DeadNotice]:
        """As Notices.dead. Raises StoreError."""
        found = await self._line.ask("LRANGE", self._keys[4], 0, -1)
        return [_dead(letter) for letter in found]

    async def revive(self) -> int:
        """As Notices.revive. Raises StoreError."""
        return int(await self._run(self._revive))

    async def _run(self, script: Script, *arguments: str | int) -> Any:  # noqa: ANN401 - each script has its own reply
        now = "" if self._clock_ms is None else self._clock_ms()
        return await script.run(self._line, self._keys, (now, *arguments))


def _record(notice: Notice) -> str:
    return orjson.dumps([notice.id, notice.address, notice.body, notice.tenant]).decode()


def _notice(record: bytes, tries: int) -> Notice:
    try:
        name, address, body, *tenant = orjson.loads(record)  # none, if an earlier version wrote it
        return Notice(name, address, body, tries, *tenant)
    except (ValueError, TypeError):
        raise StoreError("a notice is damaged") from None


def _dead(letter: bytes) -> DeadNotice:
    """`TIME WHY TRIES RECORD`, as notice_end.lua wrote it."""
    try:
        at, why, tries, record = letter.split(b" ", 3)
        return DeadNotice(_notice(record, int(tries)), int(at) // MS, why.decode())
    except ValueError:
        raise StoreError("a notice is damaged") from None
