"""P: a cache (ports.AnswerStore) in a dictionary on a virtual clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Observer
    from gateway.vocabulary import Answer, ItemKey


class FakeAnswers:
    """`down` makes it a store that fails: misses and drops, counted by the observer.

    `stored` is told each address that an answer was stored under, or not taken.
    """

    def __init__(
        self, observer: Observer | None = None, ttl_seconds: float = 60.0, monotonic: Callable[[], float] | None = None
    ) -> None:
        self.down = False
        self.entries: dict[bytes, tuple[float, bytes, Answer]] = {}
        self.stored: Callable[[bytes], object] = lambda _: None
        self._observer = observer
        self._ttl = ttl_seconds
        self._monotonic = monotonic or (lambda: 0.0)

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        if self.down:
            self._failed()
            return [None] * len(keys)
        return [self._find(key) for key in keys]

    def fetch(self, keys: Sequence[ItemKey], done: Callable[[list[Answer | None]], None]) -> None:
        found: list[Answer | None] = [None] * len(keys) if self.down else [self._find(key) for key in keys]
        if self.down:
            self._failed()
        asyncio.get_running_loop().call_soon(done, found)

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        self._store(entries)

    def keep(self, entries: Sequence[tuple[ItemKey, Answer]]) -> bool:
        self._store(entries)
        return True

    def _store(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        if self.down:
            self._failed()
        for key, answer in entries:
            if not self.down:
                self.entries[key.address] = (self._monotonic() + self._ttl, key.proof, answer)
            self.stored(key.address)

    def _find(self, key: ItemKey) -> Answer | None:
        expiry, proof, answer = self.entries.get(key.address, (0.0, b"", None))
        return answer if proof == key.proof and expiry > self._monotonic() else None

    def _failed(self) -> None:
        if self._observer is not None:
            self._observer.store_failure("cache")
