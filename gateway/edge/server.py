"""E: routes, and the promise that every answer is JSON with a detail, a code and a request id."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from gateway.edge.call import call_of, request_id
from gateway.edge.connection import Connection
from gateway.edge.deadlines import Deadlines, raw_answer
from gateway.edge.errors import BrokenOffError, MethodError, error_body, failure_response, status_of
from gateway.edge.hang_up import CLOSED_REQUEST, HangUp
from gateway.edge.limit_headers import cache_headers, limit_headers, warning_headers
from gateway.edge.operations import json_response
from gateway.edge.patience import Patience, patience_of
from gateway.edge.pieces import Pieces
from gateway.edge.usage import PATH as USAGE
from gateway.endpoints import ENDPOINTS, front
from gateway.errors import Code, FieldError, GatewayError, internal_error, invalid_request, resource_not_found
from gateway.vocabulary import Facts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.config.schema import Server
    from gateway.edge.fast_calls import FastCalls
    from gateway.edge.operations import Operations
    from gateway.edge.usage import UsageReport
    from gateway.endpoints.endpoint import Endpoint
    from gateway.observe.observer import RequestObserver
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock

    Operation = Callable[[str], Awaitable[web.Response]]

_READ = frozenset({"GET", "HEAD"})
_MODELS = "/v1/models/"
SDK_HEADER = "X-Fern-SDK-Name"
"""How Cohere's clients say who they are."""

_PATIENCE = Patience()


class Route(Protocol):
    """What answers a path by itself; `name` is its endpoint in metrics and limits."""

    @property
    def name(self) -> str:
        """The endpoint."""
        ...

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        """The answer. One that has begun already (a stream) carries its own X-Request-Id.

        Raises:
            GatewayError: BrokenOffError where it had begun.
        """
        ...


class Edge:
    """The application: a request comes in, exactly one answer goes out, whatever happens."""

    def __init__(  # noqa: PLR0913 - the composition root hands over each kind of route once
        self,
        pipeline: Pipeline,
        operations: Operations,
        usage: UsageReport,
        clock: Clock,
        observer: RequestObserver,
        *,
        routes: Mapping[str, Route] = MappingProxyType({}),
        fast: FastCalls | None = None,
    ) -> None:
        """`routes`: by path, or by the beginning of paths where it ends in a slash; `fast`: who learns of answers."""
        self._fast = fast
        self._routes = routes
        self._below = tuple(sorted((path for path in routes if path.endswith("/")), key=len, reverse=True))
        self._pipeline = pipeline
        self._operations = operations
        self._usage = usage
        self._clock = clock
        self._observer = observer
        self._endpoints: Mapping[str, Endpoint] = {f"/v1/{endpoint.name}": endpoint for endpoint in ENDPOINTS}
        self._reads: dict[str, tuple[str, Operation]] = {
            "/health": ("health", operations.health),
            "/live": ("live", operations.live),
            "/ready": ("ready", operations.ready),
            "/openapi.json": ("openapi", operations.describe),
            "/v1/models": ("models", operations.models),
            "/info": ("info", operations.info),
        }
        if pipeline.snapshot.config.observe.metrics:
            self._reads["/metrics"] = ("metrics", operations.metrics)
        self.closing = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        started = self._clock.monotonic()
        path = request.path
        identifier = request_id(request, self._clock)
        dialect = front(path, identifier, request.headers.get(SDK_HEADER, ""))
        endpoint = dialect or self._endpoints.get(path)
        facts = Facts(endpoint.name if endpoint else "other", identifier)
        if path not in self._reads and self._observer.traces(request.headers):
            route = path if endpoint or path in self._routes else ""
            facts.trace = self._observer.trace(request.headers, request.method, route)
        shape = (dialect and dialect.errors) or self._pipeline.snapshot.config.server.errors
        failure: GatewayError | None = None
        hang_up = HangUp()
        response: web.StreamResponse
        try:
            response = await (
                self._serve(endpoint, request, facts, hang_up) if endpoint else self._operate(path, request, facts)
            )
        except asyncio.CancelledError:
            if not hang_up.settle():
                raise
            failure = GatewayError(Code.SERVICE_UNAVAILABLE, "The client closed the connection")
            response = web.Response(status=CLOSED_REQUEST)
        except GatewayError as error:
            failure = error
            response = error.response if isinstance(error, BrokenOffError) else failure_response(error, facts, shape)
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours becomes a 500 in the contract's shape
            self._observer.defect(facts, error)
            failure = internal_error()
            response = failure_response(failure, facts, shape)
        if not response.prepared:
            response.headers["X-Request-Id"] = facts.request_id
        if self.closing:
            response.force_close()
        # A stream that broke off began with 200; it counts, and is logged, as what it would have been before its head.
        status = status_of(failure) if failure and response.prepared else response.status
        self._observer.request(facts, self._clock.monotonic() - started, failure, status)
        return response

    async def _serve(self, endpoint: Endpoint, request: web.BaseRequest, facts: Facts, hang_up: HangUp) -> web.Response:
        if request.method != "POST":
            raise MethodError("POST")
        call = call_of(request, facts.request_id, self._pipeline.snapshot.config, self._clock, hang_up.depart)
        if endpoint is not self._endpoints.get(request.path):
            call = replace(call, partial=False)  # other dialects have no word for what is left out
        with hang_up.watch(request):
            candidate = request.protocol.take_candidate() if isinstance(request.protocol, Connection) else None
            reply = await self._pipeline.serve(endpoint, call, facts)
        if self._fast is not None and candidate is not None:
            self._fast.learn(candidate, reply, facts)
        headers = limit_headers(facts.remaining) | cache_headers(reply) | warning_headers(reply.warnings)
        body = reply.body if reply.pieces is None else Pieces(reply.pieces, request.transport)
        return json_response(body, headers=headers)

    async def _operate(self, path: str, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        if route := self._route(path):
            facts.endpoint = route.name
            return await route.answer(request, facts)
        name, operation = self._reads.get(path, ("", None))
        rest = request.headers.get("Accept", "")
        if operation is None and path.startswith(_MODELS) and len(path) > len(_MODELS):
            name, operation, rest = "models", self._operations.model, path.removeprefix(_MODELS)
        if operation is None and path != USAGE:
            raise resource_not_found("Route", path[:200])
        facts.endpoint = name or "usage"
        if request.method not in _READ:
            raise MethodError("GET, HEAD")
        return await (operation(rest) if operation else self._usage.answer(request, facts))

    def _route(self, path: str) -> Route | None:
        """Who answers a path: its own route, else that of the longest beginning."""
        found = self._routes.get(path)
        if found is None and self._below:
            return next((self._routes[begin] for begin in self._below if path.startswith(begin)), None)
        return found


class Application(Protocol):
    """Answers requests; never raises."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        ...


class HttpServer(web.Server):  # type: ignore[type-arg,unused-ignore]
    """aiohttp's low-level server: no routing table, no middleware, no decompression of bodies."""

    def __init__(
        self,
        application: Application,
        error_shape: str,
        clock: Clock,
        fast: FastCalls | None = None,
        patience: Patience = _PATIENCE,
    ) -> None:
        super().__init__(
            application.answer,
            handler_cancellation=False,
            access_log=None,
            auto_decompress=False,
            lingering_time=patience.lingering,
        )
        self._fast = fast
        self._error_shape: Any = error_shape
        self._clock = clock
        self.deadlines = Deadlines(self, patience, self._wire)

    def __call__(self) -> web.RequestHandler:
        """A protocol for a new connection."""
        connection = Connection(self, loop=self._loop, **self._kwargs)
        connection.hang_up, connection.fast = None, self._fast
        return connection

    def _wire(self, error: GatewayError) -> bytes:
        """An answer to a connection without a request, as bytes."""
        identifier = self._clock.identifier()
        return raw_answer(status_of(error), error_body(error, identifier, self._error_shape), identifier)

    def protocol_error(self, request: web.BaseRequest, status: int) -> web.Response:
        """The answer to bytes that are no HTTP request, or to a defect outside any request."""
        internal = status >= 500  # noqa: PLR2004 - HTTP's server errors
        field = FieldError("request", "The request is not valid HTTP", "http_invalid")
        error = internal_error() if internal else invalid_request((field,))
        identifier = request_id(request, self._clock)
        body = error_body(error, identifier, self._error_shape, status)
        response = json_response(body, status, {"X-Request-Id": identifier})
        response.force_close()
        return response


def http_server(application: Application, settings: Server, clock: Clock, fast: FastCalls | None = None) -> HttpServer:
    """As configured."""
    return HttpServer(application, settings.errors, clock, fast, patience_of(settings))
