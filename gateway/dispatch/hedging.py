"""P: when a small interactive call has waited so long that a second one elsewhere is worth its cost.

What holds, and is tested in tests/unit/dispatch/test_hedging.py:

1. A call is late when it takes longer than QUANTILE of such calls did lately, and longer than all but as many as the
   budget can pay for: else the budget would go to whoever is a little late, and not to who is latest.
2. Of the last WINDOW_SECONDS, second calls are at most PART of all calls, and their tokens at most PART of all tokens.
3. Never for bulk, for large calls, where it is off (as it is by default where calls are billed), or before SAMPLES are
   known.
4. With 1 % of calls ten times as slow as the rest, the 99.5th percentile is less than half of what it was; with 1.5 %,
   the 99th is.

After Dean and Barroso, "The Tail at Scale" (CACM 2013), who wait for the 95th percentile. Quantiles are exact, of a
ring of the last RING calls: two searches in a sorted list a call.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil

from gateway.dispatch.retry_budget import RetryBudget
from gateway.vocabulary import Lane

PART = 0.02
QUANTILE = 0.95
SMALL_TOKENS = 1_024
"""Larger calls take long because they are large, and cost much to be sent twice."""

SAMPLES = 100
RING = 1_000


class Hedger:
    """One for each set of backends that may stand in for each other, model and endpoint.

    `on`: each of them `hedges` (gateway.config.backends), which by default those do that cost nothing a call.
    """

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._calls = RetryBudget(PART, 0)
        self._tokens = RetryBudget(PART, 0)
        self._ring: deque[float] = deque()
        self._sorted: list[float] = []

    def seen(self, now: float, tokens: int) -> None:
        """A call of any size and lane is sent; not for second calls. `now` is in monotonic seconds."""
        self._calls.seen(now)
        self._tokens.seen(now, max(1, tokens))

    def after(self, tokens: int, lane: Lane) -> float | None:
        """Seconds after which a second call may be sent, if `take` allows it then; None where none ever may."""
        if not self.on or not _fits(tokens, lane) or len(self._ring) < SAMPLES:
            return None
        return self._sorted[ceil(max(QUANTILE, 1 - PART) * len(self._sorted)) - 1]

    def take(self, now: float, tokens: int) -> bool:
        """Whether the second call may be sent now; if so, it is paid for."""
        amount = max(1, tokens)
        if not (self._calls.may(now) and self._tokens.may(now, amount)):
            return False
        self._calls.spend(now)
        self._tokens.spend(now, amount)
        return True

    def record(self, tokens: int, lane: Lane, seconds: float) -> None:
        """A first call was answered, or cancelled since the second one was quicker, after `seconds`.

        What was cancelled counts as late as it was then: left out, calls would seem to be ever quicker.
        """
        if not _fits(tokens, lane):
            return
        if len(self._ring) == RING:
            del self._sorted[bisect_left(self._sorted, self._ring.popleft())]
        self._ring.append(seconds)
        insort(self._sorted, seconds)


def _fits(tokens: int, lane: Lane) -> bool:
    return lane is Lane.INTERACTIVE and tokens <= SMALL_TOKENS
