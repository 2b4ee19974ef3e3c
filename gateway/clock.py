"""E: the only reader of time and chance."""

from __future__ import annotations

import asyncio
import random
import secrets
import time


class SystemClock:
    """The real clock and the system's randomness (ports.Clock)."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def epoch(self) -> int:
        """Whole seconds since 1970 by the system's clock."""
        return int(time.time())

    def random(self) -> float:
        """Uniform in [0, 1); for jitter and sampling, never for secrets."""
        return random.random()  # noqa: S311 - jitter, not secrecy

    def identifier(self) -> str:
        """128 bits from the system as hex."""
        return secrets.token_hex(16)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
