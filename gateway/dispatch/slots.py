"""P: a backend's places for running calls, some of which bulk calls leave free (trunk reservation)."""

from __future__ import annotations

from math import isqrt

from gateway.vocabulary import Lane

_SHARE = 4


def _reserve(size: int) -> int:
    """Places kept free for interactive calls: a quarter, and where places are few the root of their number.

    The root is how far a random demand strays (square-root staffing); tests/simulation/test_lanes.py has what comes of
    it. A single place cannot be kept.
    """
    return min(size - 1, max(isqrt(size - 1) + 1, size // _SHARE))


class Slots:
    """`size` places. Bulk begins where it leaves the reserve free; with its due share it may use that, too.

    However much bulk waits, an interactive call then finds a free place as if there were less bulk, and bulk never
    has more than `size` less the reserve. A single place goes to bulk only when nobody interactive waits.
    """

    def __init__(self, size: int) -> None:
        self.running = 0
        self._size = size
        self._bulk = 0
        self._open_to_bulk = size - _reserve(size)

    @property
    def full(self) -> bool:
        """Whether nobody may begin."""
        return self.running >= self._size

    @property
    def spare(self) -> bool:
        """Whether bulk may begin and leave the reserve free."""
        return self.running < self._open_to_bulk

    @property
    def due(self) -> bool:
        """Whether bulk that is owed its share may begin before interactive calls."""
        return self._size > 1 and self._bulk < self._open_to_bulk

    def of(self, lane: Lane) -> int:
        """Calls of a lane that run."""
        return self._bulk if lane is Lane.BULK else self.running - self._bulk

    def take(self, lane: Lane) -> None:
        """A call begins."""
        self.running += 1
        self._bulk += lane is Lane.BULK

    def free(self, lane: Lane) -> None:
        """It ended."""
        self.running -= 1
        self._bulk -= lane is Lane.BULK
