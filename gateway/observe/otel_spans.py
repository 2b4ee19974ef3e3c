"""E: span records as the OpenTelemetry SDK's own spans, with the ids and times that they have already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.observe.spans import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.observe.spans import SpanRecord
    from gateway.vocabulary import TraceContext

SCOPE = "gateway"


class Spans:
    """Not for several threads at once."""

    def __init__(self, resource: Mapping[str, str]) -> None:
        # Imported here: the package is there only with the extra, and takes long to import.
        from opentelemetry import context, trace  # noqa: PLC0415 - see above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415 - see above

        class Given(IdGenerator):
            """The ids of the record that is being made."""

            trace_id = span_id = 0

            def generate_span_id(self) -> int:
                return self.span_id

            def generate_trace_id(self) -> int:
                return self.trace_id

        class Ended(SpanProcessor):
            """What was ended last."""

            last: Any = None

            def on_end(self, span: Any) -> None:  # noqa: ANN401 - see above
                self.last = span

        self._otel, self._nobody = trace, context.Context
        self._given, self._ended = Given(), Ended()
        provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(resource), id_generator=self._given, shutdown_on_exit=False
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer(SCOPE)
        self._kinds = {
            Kind.SERVER: trace.SpanKind.SERVER,
            Kind.INTERNAL: trace.SpanKind.INTERNAL,
            Kind.CLIENT: trace.SpanKind.CLIENT,
        }

    def of(self, record: SpanRecord) -> Any:  # noqa: ANN401 - a ReadableSpan, see above
        """The SDK's span, ended."""
        otel, context = self._otel, record.context
        self._given.trace_id, self._given.span_id = int(context.trace_id, 16), int(context.span_id, 16)
        span = self._tracer.start_span(
            record.name,
            self._parent(record),
            self._kinds[record.kind],
            record.attributes,
            [otel.Link(self._context(link)) for link in record.links],
            start_time=record.began,
        )
        if record.failed:
            span.set_status(otel.StatusCode.ERROR)
        span.end(record.ended)
        return self._ended.last

    def _parent(self, record: SpanRecord) -> Any:  # noqa: ANN401 - see above
        nobody = self._nobody()
        if not record.parent:
            return nobody
        parent = self._context(record.context, record.parent, remote=record.remote)
        return self._otel.set_span_in_context(self._otel.NonRecordingSpan(parent), nobody)

    def _context(self, place: TraceContext, span_id: str = "", *, remote: bool = False) -> Any:  # noqa: ANN401 - see above
        otel = self._otel
        state = otel.TraceState.from_header([place.state] if place.state else [])
        flags = otel.TraceFlags(otel.TraceFlags.SAMPLED)
        return otel.SpanContext(int(place.trace_id, 16), int(span_id or place.span_id, 16), remote, flags, state)
