"""P: whether it is worth while to try what failed before."""

from __future__ import annotations

MOST = 8
"""Successes that are remembered: after twice as many failures than these only one try in so many is made."""


class Attempts:
    """Tries as long as about half succeed; where most fail, one in MOST is tried, lest success is never noticed."""

    def __init__(self) -> None:
        self._credit = MOST
        self._passed = 0

    def worth(self) -> bool:
        """Whether to try now."""
        if self._credit > 0:
            return True
        self._passed = (self._passed + 1) % MOST
        return self._passed == 0

    def tried(self, *, success: bool) -> None:
        """What came of it."""
        self._credit = min(MOST, self._credit + 1) if success else max(0, self._credit - 1)
