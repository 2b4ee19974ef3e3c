"""P: what a holder's statements of the last minute said was spent, for a store that forgot the latest of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gateway.ports import Spend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEPT_SECONDS = 62.0
"""As long as it counts in a window; a store that lost more has lost all."""


class StatementLog:
    """By their numbers; what was said again is not there again."""

    def __init__(self) -> None:
        self._said: deque[tuple[int, float, tuple[Spend, ...]]] = deque()

    def add(self, number: int, now: float, spent: Mapping[int, Sequence[int]]) -> None:
        """A statement that says for the first time what was spent: requests and tokens by second."""
        while self._said and self._said[0][1] < now - KEPT_SECONDS:
            self._said.popleft()
        if spent:
            self._said.append((number, now, tuple(Spend(second, *entry) for second, entry in spent.items())))

    def after(self, number: int) -> Iterator[Spend]:
        """What statements after that one said."""
        return (spend for said, _, spends in self._said if said > number for spend in spends)
