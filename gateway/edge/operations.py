"""E: probes, metrics, models and the API's description: answers that need no key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import orjson
from aiohttp import web

from gateway.endpoints.front_tei import info
from gateway.endpoints.models import get_model, list_models
from gateway.errors import StoreError, service_unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.payload import Payload

    from gateway.config.snapshot import Snapshot
    from gateway.pipeline import Pipeline
    from gateway.ports import QuotaStore

Scrape: TypeAlias = "Callable[[str], Awaitable[tuple[bytes, str]]]"
"""All metrics in a form that an Accept header wants, and its content type."""

JSON_TYPE = "application/json"
SAFE = {"X-Content-Type-Options": "nosniff", "Server": "gateway"}
"""On every answer: no browser takes it for something else, and nobody reads versions from it."""


def json_response(body: bytes | Payload, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON bytes as an answer."""
    return web.Response(body=body, status=status, headers={**SAFE, **(headers or {})}, content_type=JSON_TYPE)


class Operations:
    """One method a route; each takes the path behind the route's prefix, or where none is the Accept header."""

    def __init__(self, pipeline: Pipeline, store: QuotaStore, scrape: Scrape) -> None:
        self._pipeline = pipeline
        self._store = store
        self._scrape = scrape
        self.stale_config = ""
        self.leaving = False

    async def health(self, _rest: str) -> web.Response:
        """The process answers HTTP."""
        return json_response(b'{"status":"healthy"}')

    async def live(self, _rest: str) -> web.Response:
        """The event loop turns. Nothing outside is looked at."""
        return json_response(b'{"status":"alive"}')

    async def ready(self, _rest: str) -> web.Response:
        """The store answers; or it does not, and requests go on as the fallbacks of the limits allow.

        A configuration that could not be taken up is named.

        Raises:
            GatewayError: SERVICE_UNAVAILABLE when it does not and `server.ready_requires_store` holds, or we stop.
        """
        if self.leaving:
            raise service_unavailable("Not ready: this gateway is stopping")
        try:
            await self._store.ping()
        except StoreError:
            if not self._pipeline.snapshot.config.server.ready_requires_store:
                return json_response(b'{"status":"degraded","checks":{"store":"away"}}')
            raise service_unavailable("Not ready: the store does not answer") from None
        checks = {"store": "ok"}
        if self.stale_config:
            checks["config"] = f"stale: {self.stale_config}"
        return json_response(orjson.dumps({"status": "ready", "checks": checks}))

    async def metrics(self, accept: str) -> web.Response:
        """All workers' metrics in Prometheus' text format, or in its protobuf form for who wants that."""
        body, content_type = await self._scrape(accept)
        return web.Response(body=body, headers={**SAFE, "Content-Type": content_type})

    async def describe(self, _rest: str) -> web.Response:
        """OpenAPI 3.1."""
        return json_response(await asyncio.to_thread(_described, self._pipeline.snapshot))

    async def models(self, _rest: str) -> web.Response:
        """Every model served."""
        return json_response(list_models(self._pipeline.snapshot))

    async def info(self, _rest: str) -> web.Response:
        """The model behind /embed, as text-embeddings-inference describes its own.

        Raises:
            GatewayError: INPUT_INVALID; it is not clear which one that is.
        """
        return json_response(info(self._pipeline.snapshot))

    async def model(self, rest: str) -> web.Response:
        """One model.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND.
        """
        return json_response(get_model(rest, self._pipeline.snapshot))


def _described(snapshot: Snapshot) -> bytes:
    """In a thread: what is imported and put together for it takes a while, and most workers are never asked."""
    from gateway.endpoints.openapi import openapi  # noqa: PLC0415 - see above

    return openapi(snapshot)
