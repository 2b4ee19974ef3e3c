"""P: long lists that were answered from the cache: their keys are remembered, as whole answers would take too much."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings_parts import Piece
    from gateway.fast.form import Form, Sums
    from gateway.fast.repeat import Question
    from gateway.vocabulary import Answer, ItemKey

OVERHEAD_BYTES = 1_000
"""Of a list, beside its keys."""

KEY_BYTES = 200
"""Of a key: two digests, what holds them, a slot, and two for parts of a reply."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A list's reply as parts that its answers hold themselves, and what it comes to; good while all are held.

    `parts` are those of a reply that is sent at once, `pieces` those of a large one. `until` is in monotonic seconds.
    """

    answers: Sequence[Answer]
    parts: tuple[bytes, ...]
    pieces: tuple[Piece, ...]
    sums: Sums
    tokens: int
    hits: int
    sampled: tuple[ItemKey, ...]
    until: float


@dataclass(slots=True, eq=False)
class Listed:
    """What a list's texts come to: its form, and the keys of their answers."""

    form: Form
    keys: Sequence[ItemKey]
    ready: Ready | None = None

    @property
    def weight(self) -> int:
        """Bytes that it takes, about; answers and their forms are counted where they are held."""
        return OVERHEAD_BYTES + KEY_BYTES * len(self.keys)


class Lists:
    """At most `limit_bytes` of them, all of one snapshot, latest used last."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[Question, Listed] = OrderedDict()
        self._ready: list[Listed] = []
        self._snapshot: Snapshot | None = None
        self.weight = 0

    def get(self, question: Question, snapshot: Snapshot) -> Listed | None:
        """The list that is asked for again, if that snapshot is the one it was known by."""
        if snapshot is not self._snapshot:
            return None
        listed = self._kept.get(question)
        if listed is not None:
            self._kept.move_to_end(question)
        return listed

    def keep(self, question: Question, listed: Listed) -> None:
        """Remember it, and forget others where room is short; one that takes more than all may is not."""
        if listed.form.snapshot is not self._snapshot:
            self._kept.clear()
            self._snapshot, self.weight = listed.form.snapshot, 0
        if listed.weight > self._limit:
            return
        old = self._kept.pop(question, None)
        self._kept[question] = listed
        self.weight += listed.weight - (0 if old is None else old.weight)
        while self.weight > self._limit:
            self.weight -= self._kept.popitem(last=False)[1].weight

    def prepared(self, listed: Listed, ready: Ready) -> None:
        """Its reply is there until `release`."""
        listed.ready = ready
        self._ready.append(listed)

    def release(self) -> None:
        """Let go of all replies: they hold what the layer may want to be rid of."""
        while self._ready:
            self._ready.pop().ready = None
