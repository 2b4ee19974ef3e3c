"""E: the six batch operations over HTTP; jobs are seen by their tenant, files also by who has a signed address."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import orjson

from gateway.authenticate import ANONYMOUS
from gateway.edge.call import call_of, read_body
from gateway.edge.errors import MethodError
from gateway.edge.limit_headers import limit_headers
from gateway.edge.operations import json_response
from gateway.edge.parts import send_parts
from gateway.endpoints.batch import ALL, CREATE, NAME, ONE, OUTPUT, read_limit, read_request
from gateway.errors import (
    Code,
    GatewayError,
    StoreError,
    missing_api_key,
    resource_limit_exceeded,
    resource_not_found,
    service_unavailable,
)
from gateway.jobs.lifecycle import whole_input
from gateway.jobs.signing import verified
from gateway.ports.jobs import Order, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from aiohttp import web

    from gateway.endpoints.batch import Wanted
    from gateway.jobs.telling import Telling
    from gateway.local_calls import LocalCalls
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.ports.files import Files
    from gateway.ports.jobs import Batch, Jobs, JobWatch
    from gateway.vocabulary import Facts, Json

    R = TypeVar("R")

_READ = frozenset({"GET", "HEAD"})
_ID_BYTES = 16
_NOT_HERE = "Batch jobs are not offered where clients bring keys of their own: those are never stored"


class Batches:
    """What answers below /v1/batch/ and at /v1/batches."""

    name = NAME

    def __init__(  # noqa: PLR0913 - the composition root hands over each part by name, once
        self,
        *,
        pipeline: Pipeline,
        calls: LocalCalls,
        jobs: Jobs,
        files: Files,
        telling: Telling,
        watch: JobWatch,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._calls = calls
        self._jobs = jobs
        self._files = files
        self._telling = telling
        self._watch = watch
        self._clock = clock

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """The answer.

        Raises:
            GatewayError: AUTH_*, RATE_*, INPUT_*, RESOURCE_NOT_FOUND, CONFLICT_RESOURCE_BUSY (not ended yet),
                AUTHZ_RESOURCE_LIMIT_EXCEEDED, METHOD_NOT_ALLOWED, SERVICE_UNAVAILABLE.
        """
        name, _, kind = request.path.removeprefix(ONE).partition("/")
        try:
            if request.path == ALL:
                return await self._list(request, facts)
            if request.path == CREATE:
                return await self._create(request, facts)
            if kind in OUTPUT:
                return await self._fetch(request, facts, name, kind)
            if not name or kind:
                raise resource_not_found("Route", request.path[:200])
            return await self._one(request, facts, name)
        except StoreError:
            raise service_unavailable() from None

    async def _create(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        if request.method != "POST":
            raise MethodError("POST")
        snapshot = self._pipeline.snapshot

        async def read() -> Wanted:
            return read_request(await read_body(request, snapshot.config.server, call.timeout), snapshot)

        async def make(wanted: Wanted) -> Json:
            return self.status(request, await self.make(wanted, facts))

        call = call_of(request, facts.request_id, snapshot.config, self._clock)
        return await self.answered(request, facts, read, make)

    async def make(self, wanted: Wanted, facts: Facts) -> Batch:
        """A new job of the caller's. Raises GatewayError: AUTHZ_RESOURCE_LIMIT_EXCEEDED. Raises StoreError."""
        settings = self._pipeline.snapshot.config.jobs
        now = self._clock.epoch()
        order = Order(
            id=f"batch_{secrets.token_hex(_ID_BYTES)}",
            tenant=_tenant(facts),
            key_id=facts.key_id,
            model=wanted.model,
            created=now,
            expires=now + settings.retain_seconds,
            options=wanted.options,
            input_url=wanted.input_url,
            webhook_url=wanted.webhook_url,
        )
        if wanted.lines is not None:
            await self._files.put(whole_input(order.id), wanted.lines)
        if not await self._jobs.create(order, wanted.total, settings.max_open):
            await self._files.delete(whole_input(order.id))
            text = f"No more than {settings.max_open} batch jobs may be pending or processing"
            raise resource_limit_exceeded(text)
        self._watch.moved(order, State.PENDING)
        return await self.own(order.id, facts)

    async def _list(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        if request.method not in _READ:
            raise MethodError("GET, HEAD")

        async def read() -> int:
            return read_limit(request.query)

        async def find(limit: int) -> Json:
            return [self.status(request, batch) for batch in await self._jobs.newest(_tenant(facts), limit)]

        return await self.answered(request, facts, read, find)

    async def _one(self, request: web.BaseRequest, facts: Facts, name: str) -> web.StreamResponse:
        if request.method not in _READ | {"DELETE"}:
            raise MethodError("GET, HEAD, DELETE")

        async def find(cancel: bool) -> Json:  # noqa: FBT001 - what `read` found
            batch = await self.own(name, facts)
            if cancel and await self._jobs.end(name, State.CANCELLED):
                self._watch.moved(batch.order, State.CANCELLED)
                batch = await self.own(name, facts)
            return self.status(request, batch)

        async def read() -> bool:
            return request.method == "DELETE"

        return await self.answered(request, facts, read, find)

    async def _fetch(self, request: web.BaseRequest, facts: Facts, name: str, kind: str) -> web.StreamResponse:
        if request.method not in _READ:
            raise MethodError("GET, HEAD")
        snapshot, found = self._pipeline.snapshot, []
        if verified(request.path, request.query_string, self._clock.epoch(), snapshot.secret):
            found.append(await self._jobs.get(name))
        else:

            async def read() -> str:
                return name

            async def find(_: str) -> Json:
                found.append(await self.own(name, facts))

            await self.answered(request, facts, read, find)
        batch = found[0]
        if batch is None or batch.state is State.EXPIRED:
            raise resource_not_found("Batch", name[:100])
        if not batch.state.ended:
            raise GatewayError(Code.CONFLICT_RESOURCE_BUSY, f"Batch '{name}' is still being processed")
        return await send_parts(request, facts.request_id, self._files, batch, kind)

    async def answered(
        self,
        request: web.BaseRequest,
        facts: Facts,
        read: Callable[[], Awaitable[R]],
        find: Callable[[R], Awaitable[Json]],
    ) -> web.Response:
        """The answer to a call that is authenticated, limited and counted like all others."""
        snapshot = self._pipeline.snapshot
        if snapshot.passthrough is not None:
            raise resource_limit_exceeded(_NOT_HERE)
        call = call_of(request, facts.request_id, snapshot.config, self._clock)

        async def answer(wanted: R) -> bytes:
            return orjson.dumps(await find(wanted))

        body = await self._calls.serve(call, facts, read, answer)
        return json_response(body, headers=limit_headers(facts.remaining))

    async def own(self, name: str, facts: Facts) -> Batch:
        """A job of the caller's; what is somebody else's does not exist."""
        batch = await self._jobs.get(name)
        if batch is None or batch.order.tenant != _tenant(facts):
            raise resource_not_found("Batch", name[:100])
        return batch

    def status(self, request: web.BaseRequest, batch: Batch) -> dict[str, Json]:
        """A job in the contract's form."""
        return self._telling.status(batch, f"{request.scheme}://{request.host}")


def _tenant(facts: Facts) -> str:
    if facts.tenant == ANONYMOUS:  # a tier for client addresses may name this endpoint by mistake
        raise missing_api_key()
    return facts.tenant
