"""E: answers in Redis (ports.AnswerStore); a failing store is a miss, never an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.client import replies_to
from gateway.stores.redis.entry import decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ports import Clock, Observer
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Answer, ItemKey

ROLE = "cache"

CHUNK = 64
"""Entries a round trip: about 256 kB of vectors, so that neither the event loop nor the server is held up for long."""

SPREAD = 0.1
"""Entries made together do not expire together: a tenth more or less."""


class RedisAnswers:
    """The cache. `ttl_seconds` is how long an answer is kept, for space, not for freshness."""

    def __init__(self, line: Line, keys: Keys, ttl_seconds: float, clock: Clock, observer: Observer) -> None:
        self._line = line
        self._keys = keys
        self._ttl = ttl_seconds
        self._clock = clock
        self._observer = observer

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """The answer for each key; None where there is none, it is another's, it is damaged, or the store failed."""
        found: list[Answer | None] = []
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            entries, failed = await self._read([self._keys.answer(key.address) for key in chunk])
            found.extend(
                decode(key.proof, entry) if isinstance(entry, bytes) else None
                for key, entry in zip(chunk, entries, strict=False)
            )
            if failed:
                self._observer.store_failure(ROLE)
                break
        return found + [None] * (len(keys) - len(found))

    async def _read(self, names: Sequence[bytes]) -> tuple[Sequence[Any], bool]:
        """What is stored, and whether the store failed; one node of a cluster that fails leaves the others' entries."""
        if not self._line.clustered:
            try:
                return await self._line.ask("MGET", *names), False
            except StoreError:
                return (), True
        entries = await asyncio.gather(*(self._line.queue("GET", name) for name in names), return_exceptions=True)
        return entries, any(isinstance(entry, StoreError) for entry in entries)

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """Remember answers; what the store does not take is dropped."""
        for start in range(0, len(entries), CHUNK):
            try:
                await replies_to([self._write(key, answer) for key, answer in entries[start : start + CHUNK]])
            except StoreError:
                self._observer.store_failure(ROLE)
                return

    def _write(self, key: ItemKey, answer: Answer) -> asyncio.Future[Any]:
        name, entry = self._keys.answer(key.address), encode(key.proof, answer)
        return self._line.queue("SET", name, entry, "PX", self._lifetime_ms())

    def _lifetime_ms(self) -> int:
        return max(1, int(self._ttl * 1_000 * (1 + SPREAD * (2 * self._clock.random() - 1))))
