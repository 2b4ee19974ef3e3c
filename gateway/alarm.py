"""C: one timer for many calls: it rings when the first may be late, which by then has mostly ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

NEVER = float("inf")

_TICK = 0.001
"""Timers of an event loop may ring so many seconds early."""


class Timed(Protocol):
    """What may be late: `until` is the loop's time, NEVER while nothing runs."""

    until: float

    def late(self) -> None:
        """Its time is up: it ends, and `until` is NEVER or later."""
        ...


class Alarm:
    """Calls that take a second and may take a minute need one timer a minute, not one each.

    `rings` is when it does. Whoever begins to run earlier than that calls `wind`; later ones need not.
    """

    def __init__(self, running: Collection[Timed]) -> None:
        self.rings = NEVER
        self._running = running
        self._timer: asyncio.TimerHandle | None = None

    def wind(self, until: float) -> None:
        """Ring at `until`, no later."""
        if self._timer is not None:
            self._timer.cancel()
        self.rings = until
        self._timer = asyncio.get_running_loop().call_at(until, self._ring)

    def stop(self) -> None:
        """Nobody is told any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.rings = None, NEVER

    def _ring(self) -> None:
        now = asyncio.get_running_loop().time() + _TICK
        self._timer, self.rings = None, NEVER
        for call in tuple(self._running):
            if call.until <= now:
                call.late()
        following = min((call.until for call in self._running), default=NEVER)
        if following < NEVER:
            self.wind(following)
