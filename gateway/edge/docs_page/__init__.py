"""E: /docs, which shows the API in a browser, with nothing from elsewhere."""

from __future__ import annotations

import asyncio
import gzip
from importlib.resources import files
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.edge.errors import MethodError
from gateway.edge.operations import SAFE
from gateway.errors import resource_not_found

if TYPE_CHECKING:
    from gateway.vocabulary import Facts

PATHS = ("/docs", "/docs/")

_TYPES = {
    "index.html": "text/html",
    "start.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI sets styles inline; nothing else may come from, or go to, anywhere but this gateway."""

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    **SAFE,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "max-age=3600",
    "Vary": "Accept-Encoding",
}


class DocsPage:
    """The page and its parts, which are kept compressed."""

    name = "docs"

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:  # noqa: ARG002 - edge.server.Route
        """A part of the page.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND, METHOD_NOT_ALLOWED.
        """
        if request.method not in {"GET", "HEAD"}:
            raise MethodError("GET, HEAD")
        if request.path == "/docs/":  # what the page refers to would be looked for a level below
            return web.Response(status=308, headers={"Location": "../docs"})
        part = request.path.removeprefix("/docs").removeprefix("/") or "index.html"
        if part not in _TYPES:
            raise resource_not_found("Route", request.path[:200])
        headers, body = dict(_HEADERS), await asyncio.to_thread(_compressed, part)
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return web.Response(body=body, headers=headers, content_type=_TYPES[part], charset="utf-8")


def _compressed(part: str) -> bytes:
    """Read once a request: people look at this page now and then, and a worker need not hold half a megabyte for it."""
    folder = files(__name__)
    packed = folder / f"{part}.gz"
    return packed.read_bytes() if packed.is_file() else gzip.compress((folder / part).read_bytes())
