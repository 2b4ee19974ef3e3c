"""E: two upstreams that serve the same model, over HTTP, with the faults to come in common; each can be killed."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from fakes.jina_upstream import Fault, Upstream, embeddings

from gateway.dispatch.canary import TEXT

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

DIMENSIONS = 768
"""Of a model that the upstream does not know."""


class Twins:
    """`faults` are met in turn by whichever is asked; `running` are the calls that each is at."""

    def __init__(self) -> None:
        self.both = Upstream(), Upstream()
        self.faults = self.both[0].faults
        self.both[1].faults = self.faults
        self.urls: list[str] = []
        self.running = [0, 0]
        self._runners: list[web.AppRunner] = []
        self._connections: list[set[asyncio.BaseTransport]] = []

    @property
    def counts(self) -> tuple[int, int]:
        """Calls that each got."""
        return len(self.both[0].calls), len(self.both[1].calls)

    def forget(self) -> None:
        self.faults.clear()
        for one in self.both:
            one.calls.clear()
            one.bad, one.seconds = set(), 0.0

    async def start(self) -> None:
        for which in range(2):
            connections: set[asyncio.BaseTransport] = set()
            runner = web.AppRunner(self._noting(which, connections), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.urls.append("http://127.0.0.1:{1}".format(*runner.addresses[0]))
            self._runners.append(runner)
            self._connections.append(connections)

    async def kill(self, which: int) -> None:
        """It is gone at once, whatever it is at."""
        for connection in self._connections[which]:
            connection.abort()  # type: ignore[attr-defined]
        for site in list(self._runners[which].sites):
            await site.stop()

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def _noting(self, which: int, connections: set[asyncio.BaseTransport]) -> web.Application:
        @web.middleware
        async def note(request: web.Request, handler: Any) -> Any:
            assert request.transport is not None
            connections.add(request.transport)
            if TEXT.encode() in (body := await request.read()):  # a canary: it may come at any time, and meets no fault
                return web.json_response(embeddings(json.loads(body)))
            self.running[which] += 1
            try:
                return await handler(request)
            finally:
                self.running[which] -= 1

        application = self.both[which].application()
        application.middlewares.append(note)
        return application


@asynccontextmanager
async def twins() -> AsyncIterator[Twins]:
    pair = Twins()
    await pair.start()
    yield pair
    await pair.stop()


__all__ = ["DIMENSIONS", "Fault", "Twins", "twins"]
