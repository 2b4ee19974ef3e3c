"""P: answers that a store which was away did not take, and is offered once more; within bytes and seconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.vocabulary import Answer, ItemKey

MOST_BYTES = 4_194_304
"""Of payloads; what is beyond is forgotten, the oldest first."""

MOST_SECONDS = 60.0
"""What was removed from the store meanwhile must not come back later than a worker's own memory lets it."""

_OVERHEAD_BYTES = 512


class Owed:
    """One for a worker."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, ItemKey, Answer]] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, entries: Sequence[tuple[ItemKey, Answer]], now: float) -> None:
        """These were not taken; `now` is in monotonic seconds."""
        for key, answer in entries:
            self._entries.append((now, key, answer))
            self._bytes += _weight(answer)
        while self._bytes > MOST_BYTES:
            self._bytes -= _weight(self._entries.popleft()[2])

    def take(self, now: float) -> list[tuple[ItemKey, Answer]]:
        """What is still worth offering; nothing is owed then."""
        taken = [(key, answer) for at, key, answer in self._entries if now - at <= MOST_SECONDS]
        self._entries.clear()
        self._bytes = 0
        return taken


def _weight(answer: Answer) -> int:
    return len(answer.payload) + _OVERHEAD_BYTES
