"""E: answers that are passed on while they come: chat completions, and the services of the Jina API."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.edge.call import call_of, read_body
from gateway.edge.errors import BadRequestError, BrokenOffError, MethodError, error_body
from gateway.edge.hang_up import CLOSED_REQUEST, HangUp
from gateway.edge.limit_headers import limit_headers
from gateway.edge.operations import JSON_TYPE, SAFE
from gateway.edge.pieces import STALLED_SECONDS
from gateway.endpoints import chat, services
from gateway.endpoints.events import error_event
from gateway.errors import Code, GatewayError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.config.snapshot import Snapshot
    from gateway.edge.server import Route
    from gateway.endpoints.passing import Errand
    from gateway.endpoints.services import Service
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.relay import Relay, Whole
    from gateway.vocabulary import Call, Facts

    Check = Callable[[Snapshot], Awaitable[Errand]]


class Listener:
    """relay.Client: one request whose answer may be a stream."""

    def __init__(self, request: web.BaseRequest, facts: Facts) -> None:
        self.response: web.StreamResponse | None = None
        self._request = request
        self._facts = facts

    async def begin(self, headers: Mapping[str, str]) -> None:
        """Send the head."""
        own = {"X-Request-Id": self._facts.request_id, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        self.response = web.StreamResponse(headers={**SAFE, **headers, **limit_headers(self._facts.remaining), **own})
        await self.response.prepare(self._request)

    async def write(self, piece: bytes) -> None:
        """Send some bytes; who takes none for STALLED_SECONDS is cut off.

        Raises:
            ConnectionError: the client is gone.
        """
        if self.response is None:
            raise RuntimeError("nothing has begun")
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self.response.write(piece)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the client takes nothing") from None


_REFUSED, _NOT_FOUND = 400, 404
_SENTENCE = 500


class Door:
    """What all relayed routes share: a call in, an answer out, and nobody waits for a client that is gone."""

    def __init__(self, pipeline: Pipeline, relay: Relay, clock: Clock) -> None:
        self.pipeline = pipeline
        self._relay = relay
        self._clock = clock

    async def answer(
        self, request: web.BaseRequest, facts: Facts, check: Callable[[Call], Check]
    ) -> web.StreamResponse:
        """The answer; once a client is gone, what is left to say.

        Raises:
            GatewayError: BrokenOffError after something was sent, with the failure as the stream's last event.
        """
        hang_up, listener = HangUp(), Listener(request, facts)
        whole: Whole | None = None
        call = call_of(request, facts.request_id, self.pipeline.snapshot.config, self._clock)
        try:
            with hang_up.watch(request):
                whole = await self._relay.serve(call, facts, check(call), listener)
        except asyncio.CancelledError:
            if not hang_up.settle():
                raise
            return web.Response(status=CLOSED_REQUEST)
        except ConnectionError:
            return web.Response(status=CLOSED_REQUEST)
        except GatewayError as error:
            if listener.response is None:
                raise
            await self._end(listener, error, facts)
            raise BrokenOffError(error, listener.response) from error
        return _response(whole, facts) if listener.response is None else listener.response

    async def _end(self, listener: Listener, error: GatewayError, facts: Facts) -> None:
        """The head is out: what is left is to say it in the stream, and to end the connection."""
        if listener.response is None:
            return
        listener.response.force_close()
        body = error_body(error, facts.request_id, self.pipeline.snapshot.config.server.errors)
        try:
            await listener.write(error_event(body))
        except ConnectionError:
            return


def _response(whole: Whole | None, facts: Facts) -> web.Response:
    if whole is None:
        raise RuntimeError("neither a whole answer nor a stream")
    headers = {**SAFE, **whole.headers, **limit_headers(facts.remaining)}
    kind = whole.headers.get("content-type", "").partition(";")[0].strip().lower()
    if whole.status >= _REFUSED and not (kind == JSON_TYPE or kind.endswith("+json")):
        return _in_our_shape(whole, kind, facts, headers)
    if whole.hit or whole.stored:
        headers["Cache-Status"] = "gateway; hit" if whole.hit else "gateway; fwd=miss; stored"
    return web.Response(status=whole.status, headers=headers, body=whole.body)


def _in_our_shape(whole: Whole, kind: str, facts: Facts, headers: dict[str, str]) -> web.Response:
    """A refusal that is no JSON, as clients read fields: a plain sentence becomes the detail, a page is dropped."""
    said = whole.body[:_SENTENCE].decode("utf-8", "replace").strip() if kind == "text/plain" else ""
    code = Code.RESOURCE_NOT_FOUND if whole.status == _NOT_FOUND else Code.INPUT_INVALID
    error = GatewayError(code, said or "The service refused the request")
    body = error_body(error, facts.request_id, "contract", whole.status)
    kept = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return web.Response(status=whole.status, headers=kept, body=body, content_type=JSON_TYPE)


class Chat:
    """POST /v1/chat/completions."""

    name = chat.NAME

    def __init__(self, door: Door) -> None:
        self._door = door

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """A completion, whole or as a stream. Raises GatewayError."""
        if request.method != "POST":
            raise MethodError("POST")

        def checked(call: Call) -> Check:
            async def check(snapshot: Snapshot) -> Errand:
                return chat.errand_of(await call.read(), snapshot)

            return check

        try:
            return await self._door.answer(request, facts, checked)
        except GatewayError as error:
            if error.code is Code.INPUT_INVALID:
                raise BadRequestError.of(error) from None
            raise


class Relayed:
    """A service: what stands behind `prefix` in the request's path goes to it as it is."""

    def __init__(self, door: Door, service: Service, prefix: str, to: str = "") -> None:
        self.name = service.name
        self._door = door
        self._service = service
        self._prefix = prefix
        self._to = to

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """The service's answer, or its own refusal of what the client sent. Raises GatewayError."""
        if request.method not in {"GET", "POST"}:
            raise MethodError("GET, POST")
        headers = {name.lower(): value for name, value in request.headers.items()}
        behind = _behind(request, self._prefix)
        target = self._to + behind if self._to or behind.startswith("/") else f"/{behind}"

        def checked(call: Call) -> Check:
            async def check(snapshot: Snapshot) -> Errand:
                body = await read_body(request, snapshot.config.server, call.timeout)
                body = body if request.method == "POST" else b""
                return services.errand_of(
                    self._service, services.Asked(request.method, target, headers, body), snapshot
                )

            return check

        return await self._door.answer(request, facts, checked)


class Segments:
    """/v1/segment: relayed where the configuration says so, made here by default."""

    name = services.SEGMENT.name

    def __init__(self, pipeline: Pipeline, own: Route, relayed: Route) -> None:
        self._pipeline = pipeline
        self._own = own
        self._relayed = relayed

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """The segments. Raises GatewayError."""
        relays = services.relays_segments(self._pipeline.snapshot)
        return await (self._relayed if relays else self._own).answer(request, facts)


def _behind(request: web.BaseRequest, prefix: str) -> str:
    """What follows the service's own path, byte for byte: an address in it is not ours to write differently."""
    raw = request.raw_path
    if not raw.startswith("/"):  # an absolute request target (RFC 9112 §3.2.2)
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    return raw.removeprefix(prefix) if raw.startswith(prefix) else ""
