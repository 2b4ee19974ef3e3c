"""P: the largest ratio seen lately, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

WINDOW = 1_000
"""A peak is forgotten when this many to twice as many later ratios of its kind stayed below it."""


class Peak:
    """The largest of the last WINDOW values, at most of twice as many: the running window's and the one's before."""

    __slots__ = ("_before", "_in_window", "_now", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self._in_window = 0
        self._now = 0.0
        self._before = 0.0

    @property
    def value(self) -> float:
        """0 before the first one."""
        return max(self._now, self._before)

    def observe(self, value: float) -> None:
        """Take one more value."""
        if self._in_window == WINDOW:
            self._before, self._now, self._in_window = self._now, 0.0, 0
        self._now = max(self._now, value)
        self._in_window += 1
        self.seen += 1


class Peaks:
    """A peak for each kind, believed once it has `enough` values. Kinds come from a closed set: none is dropped."""

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._peaks: dict[Hashable, Peak] = {}

    def observe(self, kind: Hashable, value: float) -> None:
        """Take one more value of a kind."""
        peak = self._peaks.get(kind)
        if peak is None:
            peak = self._peaks[kind] = Peak()
        peak.observe(value)

    def of(self, kind: Hashable) -> float | None:
        """The largest value of a kind lately; None while there are too few to say."""
        peak = self._peaks.get(kind)
        return peak.value if peak is not None and peak.seen >= self._enough else None
