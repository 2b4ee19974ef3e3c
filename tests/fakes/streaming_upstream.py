"""E: an upstream whose answers a test writes piece by piece, and which knows when a caller has gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

EVENTS = {"Content-Type": "text/event-stream"}


@dataclass(eq=False)
class Asked:
    """One call. Put bytes to send, None to end, or "abort" to break off; `gone` is set once its connection ended."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 200
    kind: Mapping[str, str] = field(default_factory=lambda: EVENTS)
    steps: asyncio.Queue[bytes | str | None] = field(default_factory=asyncio.Queue)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, *pieces: bytes, status: int = 200, kind: Mapping[str, str] = EVENTS) -> None:
        """The whole answer at once."""
        self.status, self.kind = status, kind
        for piece in (*pieces, None):
            self.steps.put_nowait(piece)


@dataclass
class StreamingUpstream:
    """`asked` hands the calls to the test in their order."""

    url: str = ""
    asked: asyncio.Queue[Asked] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = Asked(request.method, request.raw_path, request.headers, await request.read())
        self.asked.put_nowait(call)
        try:
            step = await call.steps.get()
            response = web.StreamResponse(status=call.status, headers=call.kind)
            await response.prepare(request)
            while step is not None:
                if isinstance(step, str):
                    assert request.transport is not None
                    request.transport.abort()
                    break
                await response.write(step)
                step = await call.steps.get()
        finally:
            call.gone.set()
        return response


@asynccontextmanager
async def streaming_upstream() -> AsyncIterator[StreamingUpstream]:
    """One that listens."""
    upstream = StreamingUpstream()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_route("*", "/{tail:.*}", upstream.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    yield upstream
    await runner.cleanup()
