"""P: time and chance."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time and chance, read in one place so that simulations can turn them."""

    def monotonic(self) -> float:
        """Seconds that never go back; deadlines are in this time."""
        ...

    def epoch(self) -> int:
        """Whole seconds since 1970."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def identifier(self) -> str:
        """32 hex digits that no other call, in any process, was ever given; not a secret."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...
