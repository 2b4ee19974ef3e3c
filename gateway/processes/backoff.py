"""P: how long to wait before a dead child is started again."""

from __future__ import annotations

FIRST = 0.1
LONGEST = 5.0
HEALTHY = 10.0
"""Seconds; a child that lived this long starts over at FIRST."""


def next_delay(previous: float | None, alive: float) -> float:
    """Seconds to wait: FIRST, then twice the previous wait up to LONGEST.

    Args:
        previous: the wait before the run that just ended, None for the first run.
        alive: seconds that run lasted.
    """
    if previous is None or alive >= HEALTHY:
        return FIRST
    return min(previous * 2, LONGEST)


def ending(code: int) -> str:
    """What an exit code means in words; negative codes are signals (subprocess)."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
