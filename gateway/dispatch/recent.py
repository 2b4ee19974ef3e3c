"""P: counts of the last seconds in a fixed number of slots, so that neither memory nor time grows with traffic."""

from __future__ import annotations

from collections import deque


class Recent:
    """The sum of what was added in the slot of `seconds` that runs and in `whole` slots before it.

    `now` is in monotonic seconds and never goes back.
    """

    def __init__(self, seconds: float, whole: int) -> None:
        self._seconds = seconds
        self._whole = whole
        self._slots: deque[tuple[int, int]] = deque()
        self._total = 0

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, now: float, amount: int = 1) -> None:
        """Count `amount` now."""
        self._leave(now)
        slot = int(now // self._seconds)
        count = self._slots.pop()[1] if self._slots and self._slots[-1][0] == slot else 0
        self._slots.append((slot, count + amount))
        self._total += amount

    def total(self, now: float) -> int:
        """All that was counted lately."""
        self._leave(now)
        return self._total

    def clear(self) -> None:
        """Forget it."""
        self._slots.clear()
        self._total = 0

    def _leave(self, now: float) -> None:
        first = int(now // self._seconds) - self._whole
        while self._slots and self._slots[0][0] < first:
            self._total -= self._slots.popleft()[1]
