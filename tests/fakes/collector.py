"""E: an OpenTelemetry collector: takes OTLP/HTTP in protobuf as the real one does, and keeps the spans."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = {1: "internal", 2: "server", 3: "client"}


@dataclass(frozen=True)
class Received:
    """One span; ids in hex."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    state: str
    began: int
    ended: int
    attributes: dict[str, Any]
    links: tuple[str, ...]
    failed: bool


@dataclass
class Collector:
    """What came. `status` is what exports are answered with."""

    spans: list[Received] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""
    status: int = 200

    def of(self, trace_id: str) -> list[Received]:
        """The spans of one trace, in the order of their beginning."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.began)

    def tree(self, trace_id: str) -> list[str]:
        """A trace as indented names; the root is whose parent is not here."""
        spans = self.of(trace_id)
        here = {span.span_id for span in spans}
        lines: list[str] = []

        def show(span: Received, depth: int) -> None:
            lines.append("  " * depth + span.name)
            for child in spans:
                if child.parent == span.span_id:
                    show(child, depth + 1)

        for span in spans:
            if span.parent not in here:
                show(span, 0)
        return lines

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        if self.status == 200:
            self.bodies.append(body)
            message = ExportTraceServiceRequest.FromString(body)
            for group in message.resource_spans:
                self.resources.append(_attributes(group.resource.attributes))
                self.spans += [_received(span) for scope in group.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(status=self.status, body=answer, content_type="application/x-protobuf")


def _attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        assert kind is not None
        return getattr(pair.value, kind)

    return {pair.key: value(pair) for pair in pairs}


def _received(span: Span) -> Received:
    return Received(
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        tuple(f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links),
        span.status.code == Status.STATUS_CODE_ERROR,
    )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    try:
        yield collector
    finally:
        await runner.cleanup()
