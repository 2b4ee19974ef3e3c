"""P: how many calls beyond the clients' own may be sent: a part of recent traffic, so that retries cannot add up.

What holds, and is tested in tests/unit/dispatch/test_retry_budget.py:

1. Whenever an extra call is sent, those of the last WINDOW_SECONDS are at most `floor` and `part` of that time's calls.
2. A quiet service may send `floor` extra calls a window.
3. One that is busy may use its part: at least 85 % of it.

The floor of retries is above what opens a breaker (gateway.dispatch.health), so that a backend that dies in a quiet
hour costs no client an error. One budget serves all backends of one model in one worker.
"""

from __future__ import annotations

from gateway.dispatch.recent import Recent

WINDOW_SECONDS = 10.0
RETRY_PART = 0.10
RETRY_FLOOR = 10
_SLOTS = 20


class RetryBudget:
    """Of retries by default. It counts calls, or what else is named in `amount`, in memory that traffic does not grow.

    Calls are counted in slots of half a second: a slot of calls leaves the window as a whole and early, a slot of
    extra calls as a whole and late, so the bound holds for the exact window, too.
    """

    def __init__(self, part: float = RETRY_PART, floor: int = RETRY_FLOOR) -> None:
        self._part = part
        self._floor = floor
        self.spent = 0
        self._calls = Recent(WINDOW_SECONDS / _SLOTS, _SLOTS - 1)
        self._extra = Recent(WINDOW_SECONDS / _SLOTS, _SLOTS)

    def seen(self, now: float, amount: int = 1) -> None:
        """A client's own calls are sent: `now` is in monotonic seconds and never goes back."""
        self._calls.add(now, amount)

    def may(self, now: float, amount: int = 1) -> bool:
        """Whether one more extra call may be sent now."""
        return self._extra.total(now) + amount <= self._floor + self._part * self._calls.total(now)

    def spend(self, now: float, amount: int = 1) -> None:
        """An extra call is sent; `spent` is their number since the start."""
        self.spent += amount
        self._extra.add(now, amount)
