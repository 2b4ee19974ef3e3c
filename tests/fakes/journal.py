"""P: a journal (ports.Journal) in memory, with room for `room` entries before a cut and `segments` extensions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.vocabulary import Batch, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.vocabulary import Account


@dataclass
class FakeOrphan:
    batches: Sequence[Batch]
    dropped: bool = False
    left: bool = False

    async def drop(self) -> None:
        self.dropped = True

    def leave(self) -> None:
        self.left = True


@dataclass
class FakeJournal:
    """`left` is what an adopter would find; `dead` are the orphans that the next look finds."""

    writer: str = "w"
    room: int = 1_000
    segments: int = 4
    dead: list[FakeOrphan] = field(default_factory=list)
    released: int = 0
    closed: bool = False
    cuts: list[Batch] = field(default_factory=list)
    open: dict[Account, Tally] = field(default_factory=dict)
    used: int = 0
    ends: list[int] = field(default_factory=list)

    def append(self, account: Account, tally: Tally) -> bool:
        if self.used >= self.room:
            return False
        self.used += 1
        self.open[account] = self.open.get(account, Tally()).plus(tally)
        return True

    def cut(self) -> int:
        sequence = len(self.cuts) + 1
        self.cuts.append(Batch(self.writer, sequence, self.open))
        self.open = {}
        return sequence

    def extend(self) -> bool:
        if len(self.ends) + 1 >= self.segments:
            return False
        self.ends.append(len(self.cuts))
        self.used = 0
        return True

    async def release(self, sequence: int) -> None:
        assert sequence >= self.released
        self.released = sequence
        self.ends = [end for end in self.ends if end > sequence]

    async def orphans(self) -> list[FakeOrphan]:
        found, self.dead = self.dead, []
        return found

    async def close(self) -> None:
        self.closed = True

    def left(self) -> FakeOrphan:
        """As after a kill."""
        batches = [batch for batch in self.cuts if batch.sequence > self.released]
        if self.open:
            batches.append(Batch(self.writer, len(self.cuts) + 1, self.open))
        return FakeOrphan([batch for batch in batches if batch.tallies])
