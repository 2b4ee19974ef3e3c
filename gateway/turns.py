"""C: work on long lists, cut into turns of the event loop, so that others are served in between."""

from __future__ import annotations

import asyncio

MANY = 256
"""Units worked on in one turn: what is done with one takes up to 20 µs, so a turn has a few milliseconds."""


async def turn_over(units: int) -> None:
    """End this turn after work on so many units; where they are few it goes on."""
    if units >= MANY:
        await asyncio.sleep(0)
