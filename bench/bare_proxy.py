"""The least that a proxy on aiohttp does: the body in, the same on, the answer back. bare_proxy.py PORT UPSTREAM."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import aiohttp
import uvloop
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SESSION = web.AppKey("session", aiohttp.ClientSession)


async def forward(request: web.Request) -> web.Response:
    """One call, one call on."""
    headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
    url = f"{sys.argv[2]}{request.path}"
    async with request.app[SESSION].post(url, data=await request.read(), headers=headers) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type="application/json")


async def connected(application: web.Application) -> AsyncIterator[None]:
    """A pool as long as the proxy runs."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        application[SESSION] = session
        yield


if __name__ == "__main__":
    uvloop.install()
    APPLICATION = web.Application()
    APPLICATION.cleanup_ctx.append(connected)
    APPLICATION.router.add_post("/{path:.*}", forward)
    web.run_app(APPLICATION, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=1_024)
