"""P: votes (ports.Votes) in a dictionary."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ports import Observer


class FakeVotes:
    """`down` makes it a store that fails: nobody is counted."""

    def __init__(self, observer: Observer | None = None) -> None:
        self.down = False
        self.voters: dict[bytes, set[bytes]] = defaultdict(set)
        self._observer = observer

    async def cast(self, subjects: Sequence[bytes], voter: bytes) -> list[int]:
        if self.down:
            if self._observer is not None:
                self._observer.store_failure("cache")
            return [0] * len(subjects)
        for subject in subjects:
            self.voters[subject].add(voter)
        return [len(self.voters[subject]) for subject in subjects]
