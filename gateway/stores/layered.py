"""E: the in-process layer above a cache (ports.AnswerStore): answers and their ready-to-send forms, within bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ports import AnswerStore, Clock
    from gateway.vocabulary import Answer, ItemKey

OVERHEAD_BYTES = 900
"""Of an entry beside its payload and forms: objects, dictionary slots, the key; rounded up."""


@dataclass(slots=True)
class _Held:
    answer: Answer
    until: float
    weight: int


class LayeredAnswers:
    """Holds what was asked for lately; asks `inner` for the rest, and nobody when there is no rest.

    Entries are found by their proof, which nobody can make for another's input. They live at most `seconds`, however
    often they are used, so that what is deleted in the store is forgotten here, too. An answer grows ready-to-send
    forms after it was put, so what was touched is weighed again on the next call. `limit_bytes` 0 holds nothing.
    """

    def __init__(self, inner: AnswerStore, limit_bytes: int, seconds: float, clock: Clock) -> None:
        self._inner = inner
        self._limit = limit_bytes
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._touched: list[bytes] = []
        self.weight = 0

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """As AnswerStore.get."""
        self._weigh_touched()
        now = self._clock.monotonic()
        found = [self._find(key, now) for key in keys]
        missing = [at for at, answer in enumerate(found) if answer is None]
        if missing:
            stored = await self._inner.get([keys[at] for at in missing])
            for at, answer in zip(missing, stored, strict=True):
                if answer is not None:
                    found[at] = answer
                    self._hold(keys[at], answer)
        return found

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """As AnswerStore.put."""
        self._weigh_touched()
        for key, answer in entries:
            self._hold(key, answer)
        await self._inner.put(entries)

    def _find(self, key: ItemKey, now: float) -> Answer | None:
        held = self._held.get(key.proof)
        if held is None:
            return None
        if held.until <= now:
            self._drop(key.proof)
            return None
        self._held.move_to_end(key.proof)
        self._touched.append(key.proof)
        return held.answer

    def _hold(self, key: ItemKey, answer: Answer) -> None:
        if self._limit:
            self._drop(key.proof)
            self._held[key.proof] = _Held(answer, self._clock.monotonic() + self._seconds, 0)
            self._touched.append(key.proof)

    def _drop(self, proof: bytes) -> None:
        held = self._held.pop(proof, None)
        if held is not None:
            self.weight -= held.weight

    def _weigh_touched(self) -> None:
        for proof in self._touched:
            held = self._held.get(proof)
            if held is not None:
                weight = weigh(held.answer)
                self.weight += weight - held.weight
                held.weight = weight
        self._touched.clear()
        while self.weight > self._limit and self._held:
            self._drop(next(iter(self._held)))


def weigh(answer: Answer) -> int:
    """Bytes that an answer and its ready-to-send forms take."""
    forms = sum(len(form) for form in answer.fragments.values())
    return OVERHEAD_BYTES + len(answer.payload) + len(answer.extra) + forms
