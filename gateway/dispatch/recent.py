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
        self._slots: deque[tuple[float, int]] = deque()
        self._slot = float("-inf")
        self._count = 0
        self._total = 0

    def __len__(self) -> int:
        return len(self._slots) + bool(self._count)

    def add(self, now: float, amount: int = 1) -> None:
        """Count `amount` now."""
        if now // self._seconds != self._slot:
            self._turn(now // self._seconds)
        self._count += amount
        self._total += amount

    def total(self, now: float) -> int:
        """All that was counted lately."""
        if now // self._seconds != self._slot:
            self._turn(now // self._seconds)
        return self._total

    def clear(self) -> None:
        """Forget it."""
        self._slots.clear()
        self._count = self._total = 0

    def _turn(self, slot: float) -> None:
        """Another slot runs; what is too old leaves."""
        if self._count:
            self._slots.append((self._slot, self._count))
        self._slot, self._count = slot, 0
        while self._slots and self._slots[0][0] < slot - self._whole:
            self._total -= self._slots.popleft()[1]
