"""E: how a worker leaves without losing a request: it says so, ends what it has begun, and closes last what is idle."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from gateway.edge.server import HttpServer

LAST_CALLS = 2.0
"""Seconds that connections which ask nothing are kept for one more request, whose answer closes them.

A client that sends just when its idle connection is closed has lost its request; those in use are so let go between
two of theirs.
"""

_POLL = 0.05


class Leaving:
    """Hears from its making on when this process is told to stop."""

    def __init__(self) -> None:
        self._told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            asyncio.get_running_loop().add_signal_handler(number, self._tell, number is signal.SIGUSR2)

    async def told(self) -> bool:
        """Wait for SIGTERM or SIGINT, or for SIGUSR2: then another worker has taken this one's place (True)."""
        return await self._told

    def _tell(self, replaced: bool) -> None:  # noqa: FBT001 - a signal's handler
        if not self._told.done():
            self._told.set_result(replaced)


async def leave(
    servers: Sequence[asyncio.Server], http: Sequence[HttpServer], also: Awaitable[None], *, notice: float, drain: float
) -> None:
    """Accept for `notice` seconds more, then no longer; give what runs `drain` seconds, and `also` the same time.

    Answers must say `Connection: close` already.
    """
    await asyncio.sleep(notice)
    for server in servers:
        server.close()

    async def let_go() -> None:
        await _last_calls(http)
        for one in http:
            one.pre_shutdown()
        await asyncio.gather(*(one.shutdown(drain) for one in http))

    await asyncio.gather(also, let_go())


async def _last_calls(http: Sequence[HttpServer]) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + LAST_CALLS
    while loop.time() < until and any(one.connections for one in http):  # noqa: ASYNC110 - aiohttp tells of no end
        await asyncio.sleep(_POLL)
