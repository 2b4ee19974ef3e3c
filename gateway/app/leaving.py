"""E: how a worker leaves without losing a request: it says so, ends what it has begun, and closes last what is idle."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from gateway.edge.deadlines import is_quiet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from aiohttp import web

    from gateway.edge.server import HttpServer

LAST_CALLS = 2.0
"""Seconds that connections which ask nothing are kept for one more request, whose answer closes them.

A client that sends just when its idle connection is closed has lost its request; those in use are so let go between
two of theirs.
"""

_POLL = 0.05
_INSIST = 0.5
"""Seconds that a request gets to end once it is cancelled."""


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
    await asyncio.gather(also, *(_let_go(one, drain) for one in http))
    for one in http:
        one.pre_shutdown()
    await asyncio.gather(*(one.shutdown(_INSIST) for one in http))


async def _let_go(http: HttpServer, seconds: float) -> None:
    """Wait until all connections are closed: by the answers, by their clients, or because they ask nothing."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    asked: dict[web.RequestHandler, float] = {}
    while http.connections and (now := loop.time()) < until:
        for connection in http.connections:
            if not is_quiet(connection):
                asked[connection] = now
            elif now - asked.setdefault(connection, now) > LAST_CALLS:
                connection.force_close()
        await asyncio.sleep(_POLL)
