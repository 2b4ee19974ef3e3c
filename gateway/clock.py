"""E: the only reader of time and chance."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from itertools import count


class SystemClock:
    """The real clock and the system's randomness (ports.Clock): the two that are asked most are no functions of ours.

    `monotonic`: seconds since an arbitrary start. `random`: uniform in [0, 1); for jitter and sampling, never secrets.
    """

    monotonic = staticmethod(time.monotonic)
    random = staticmethod(random.random)

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._count = count()

    def epoch(self) -> int:
        """Whole seconds since 1970 by the system's clock."""
        return int(time.time())

    def identifier(self) -> str:
        """32 hex digits: 64 random bits of this process, then a counter. Unique, not secret, and cheap to make."""
        return f"{self._process}{next(self._count):016x}"

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
