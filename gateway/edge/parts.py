"""E: a job's output or errors on the way to the client, one chunk after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.edge.operations import SAFE
from gateway.edge.pieces import STALLED_SECONDS
from gateway.jobs.lifecycle import part

if TYPE_CHECKING:
    from gateway.ports.files import Files
    from gateway.ports.jobs import Batch

LINES_TYPE = "application/x-ndjson"


async def send_parts(
    request: web.BaseRequest, identifier: str, files: Files, batch: Batch, kind: str
) -> web.StreamResponse:
    """The lines of every chunk that has some, in the input's order.

    A client that takes nothing for STALLED_SECONDS is cut off.

    Raises:
        ConnectionError: the client is gone, or was cut off.
        StoreError: of the files. If it has begun, the answer then has no end that a client could take for whole.
    """
    response = web.StreamResponse(headers={**SAFE, "X-Request-Id": identifier, "Content-Type": LINES_TYPE})
    response.enable_chunked_encoding()
    chunks = range(batch.chunks or 0)
    first = await files.get(part(batch.order.id, kind, 0)) if chunks else None
    await response.prepare(request)
    if request.method != "HEAD":
        for chunk in chunks:
            lines = await files.get(part(batch.order.id, kind, chunk)) if chunk else first
            if lines:
                await _write(request, response, lines)
        await response.write_eof()
    return response


async def _write(request: web.BaseRequest, response: web.StreamResponse, lines: bytes) -> None:
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await response.write(lines)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client takes nothing") from None
