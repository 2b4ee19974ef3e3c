"""E: votes in Redis (ports.Votes): a set of voters for each answer, which ends some time after the last vote."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.stores.redis.cache import CHUNK, ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ports import Observer
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

MS = 1_000


class RedisVotes:
    """Counts voters for `seconds` after the last one came. No command touches two keys, so a cluster will do."""

    def __init__(self, line: Line, keys: Keys, seconds: float, observer: Observer) -> None:
        self._line = line
        self._keys = keys
        self._ms = int(seconds * MS)
        self._observer = observer

    async def cast(self, subjects: Sequence[bytes], voter: bytes) -> list[int]:
        """Different voters of each subject, with this one; 0 for all that are left once the store fails."""
        counts: list[int] = []
        for start in range(0, len(subjects), CHUNK):
            names = [self._keys.votes(subject) for subject in subjects[start : start + CHUNK]]
            ask = self._line.queue
            commands = [
                [ask("SADD", name, voter), ask("PEXPIRE", name, self._ms), ask("SCARD", name)] for name in names
            ]
            try:
                replies = await asyncio.gather(*(reply for replies in commands for reply in replies))
            except StoreError:
                self._observer.store_failure(ROLE)
                break
            counts.extend(map(int, replies[2::3]))
        return counts + [0] * (len(subjects) - len(counts))
