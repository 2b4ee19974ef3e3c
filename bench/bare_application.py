"""The least that an application on aiohttp does: reads a body, sends the same bytes each time. PORT FILE."""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop
from aiohttp import web

BODY = Path(sys.argv[2]).read_bytes()


async def answer(request: web.Request) -> web.Response:
    """One call."""
    await request.read()
    return web.Response(body=BODY, content_type="application/json")


if __name__ == "__main__":
    uvloop.install()
    APPLICATION = web.Application()
    APPLICATION.router.add_post("/{path:.*}", answer)
    web.run_app(APPLICATION, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, backlog=1_024)
