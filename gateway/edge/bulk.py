"""E: the older bulk route: a CSV file becomes a batch job, its result an address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from gateway.edge.call import read_body
from gateway.edge.errors import MethodError
from gateway.edge.form import FORM_TYPE, read_fields
from gateway.endpoints.batch import NAME, Wanted
from gateway.endpoints.body import choose
from gateway.endpoints.bulk import BELOW, PATH, RESULT, bulk_job, lines_of, read_form, result
from gateway.endpoints.embeddings import Embeddings
from gateway.errors import Code, GatewayError, StoreError, resource_not_found, service_unavailable
from gateway.jobs.lifecycle import folder

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.config.snapshot import Snapshot
    from gateway.edge.batches import Batches
    from gateway.endpoints.bulk import Upload
    from gateway.pipeline import Pipeline
    from gateway.ports.files import Files
    from gateway.vocabulary import Facts, Json

_ABOUT = "bulk.json"
"""Beside a job's other files: what its form said that a batch does not know."""


class Bulk:
    """What answers at /v1/bulk-embeddings and below. Its jobs are batches: those routes show and cancel them, too."""

    name = NAME

    def __init__(self, batches: Batches, pipeline: Pipeline, files: Files) -> None:
        self._batches = batches
        self._pipeline = pipeline
        self._files = files

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """The answer.

        Raises:
            GatewayError: AUTH_*, RATE_*, INPUT_*, RESOURCE_NOT_FOUND (also a result of no line),
                CONFLICT_RESOURCE_BUSY (not ended yet), METHOD_NOT_ALLOWED, SERVICE_UNAVAILABLE.
        """
        name, _, rest = request.path.removeprefix(BELOW).partition("/")
        try:
            if request.path == PATH:
                return await self._create(request, facts)
            if name and rest == RESULT:
                return await self._result(request, facts, name)
            if name and not rest:
                return await self._show(request, facts, name)
        except StoreError:
            raise service_unavailable() from None
        raise resource_not_found("Route", request.path[:200])

    async def _create(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        _only("POST", request)
        snapshot = self._pipeline.snapshot

        async def read() -> tuple[Wanted, Upload]:
            settings = snapshot.config.server
            body = await read_body(request, settings, settings.timeout, FORM_TYPE)
            upload = read_form(await read_fields(request.headers, body))
            return await asyncio.to_thread(_wanted, upload, snapshot), upload

        async def make(found: tuple[Wanted, Upload]) -> Json:
            wanted, upload = found
            batch = await self._batches.make(wanted, facts)
            about = orjson.dumps([upload.file_name, upload.email])
            await self._files.put(folder(batch.order.id) + _ABOUT, about)
            return bulk_job(batch, facts.tenant, upload.file_name, upload.email)

        return await self._batches.answered(request, facts, read, make)

    async def _show(self, request: web.BaseRequest, facts: Facts, name: str) -> web.StreamResponse:
        _only("GET", request)

        async def find(_: None) -> Json:
            batch = await self._batches.own(name, facts)
            about = await self._files.get(folder(batch.order.id) + _ABOUT)
            file_name, email = ("input.csv", "") if about is None else orjson.loads(about)
            return bulk_job(batch, facts.tenant, file_name, email)

        return await self._batches.answered(request, facts, _nothing, find)

    async def _result(self, request: web.BaseRequest, facts: Facts, name: str) -> web.StreamResponse:
        _only("POST", request)

        async def find(_: None) -> Json:
            batch = await self._batches.own(name, facts)
            if not batch.state.ended:
                raise GatewayError(Code.CONFLICT_RESOURCE_BUSY, f"Bulk job '{name}' is still being processed")
            url = self._batches.status(request, batch)["output_url"]
            if not isinstance(url, str):
                raise resource_not_found("Result of bulk job", name[:100])
            return result(name, url)

        return await self._batches.answered(request, facts, _nothing, find)


async def _nothing() -> None:
    """There is no body to read."""


def _wanted(upload: Upload, snapshot: Snapshot) -> Wanted:
    """Any embedding model that is served, with what it does by default. Reads the file: not for the event loop."""
    model, _ = choose({"model": upload.model}, Embeddings.name, snapshot)
    lines, total = lines_of(upload.file, snapshot.config.jobs.max_inputs)
    return Wanted(model.name, "{}", lines, total, input_url="", webhook_url="")


def _only(method: str, request: web.BaseRequest) -> None:
    allowed = {method, "HEAD"} if method == "GET" else {method}
    if request.method not in allowed:
        raise MethodError(", ".join(sorted(allowed)))
