"""E: which requests are traced, and each one's spans on their way to whoever exports them."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Protocol

from gateway.observe.spans import (
    ANSWERED,
    Kind,
    SpanRecord,
    call_attributes,
    call_name,
    failed_here,
    request_attributes,
    request_name,
    stage_attributes,
)
from gateway.vocabulary import Stage, TraceContext
from gateway.vocabulary.tracing import TRACEPARENT, TRACESTATE, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from multidict import CIMultiDictProxy

    from gateway.config.traces import Traces
    from gateway.ports import Clock
    from gateway.vocabulary import CallSpan, Departure, Facts, RequestTrace

_NANOS = 1_000_000_000
_TRACE_BITS, _SPAN_BITS = 128, 64


class Exporter(Protocol):
    """Takes finished spans and never makes anybody wait."""

    def add(self, spans: Sequence[SpanRecord]) -> None:
        """These are to be exported, if there is room."""
        ...

    async def close(self) -> None:
        """Export what is left, for a short while."""
        ...


class Tracing:
    """One for a worker. Without an exporter trace context is handed on, and no span is made."""

    def __init__(
        self,
        settings: Traces,
        exporter: Exporter | None,
        clock: Clock,
        *,
        wall: Callable[[], int] = time.time_ns,
        bits: Callable[[int], int] = random.getrandbits,
    ) -> None:
        """`wall` gives nanoseconds since 1970, `bits` so many random ones."""
        self.exporter = exporter
        self.clock = clock
        self.wall = wall
        self._bits = bits
        self._ratio = settings.sample if exporter is not None else 0.0
        self._parent_based = settings.parent_based
        self._due = False

    def wants(self, headers: Container[str]) -> bool:
        """Whether the request with these headers is to have a `Trace`, synchronously and cheaply.

        A yes that came from the sample stays until `begin` has made use of it, so that it may be asked for beforehand.
        """
        if TRACEPARENT in headers:
            return True
        if self._ratio and not self._due:
            self._due = self.clock.random() < self._ratio
        return self._due

    def records(self, traceparent: str) -> bool:
        """Whether spans may be wanted of a request with that header, or without one (empty); else as `wants`."""
        return self.exporter is not None and (bool(traceparent) or self.wants(()))

    def passed(self, traceparent: str) -> PassedTrace | None:
        """A client's trace, of which nothing is recorded here."""
        context = context_of((traceparent,), ()) if traceparent else None
        return None if context is None else PassedTrace(context)

    def begin(self, headers: CIMultiDictProxy[str], method: str, route: str) -> RequestTrace | None:
        """The trace of a request that has just come; `route` is its path where that is one of ours, else empty."""
        if not self.wants(headers):
            return None
        sent = headers.getall(TRACEPARENT, ())
        parent = context_of(sent, headers.getall(TRACESTATE, ())) if sent else None
        if not self._records(parent):
            return None if parent is None else PassedTrace(parent)
        trace_id = self._new_trace() if parent is None else parent.trace_id
        context = TraceContext(trace_id, self.new_id(), sampled=True, state="" if parent is None else parent.state)
        return RecordedTrace(self, context, "" if parent is None else parent.span_id, method, route)

    def own(self) -> RequestTrace | None:
        """The trace of a call that no client waits for, by the sample alone."""
        if self.exporter is None or self.clock.random() >= self._ratio:
            return None
        return RecordedTrace(self, TraceContext(self._new_trace(), self.new_id(), sampled=True), "", "", "")

    def _new_trace(self) -> str:
        return f"{self._bits(_TRACE_BITS) or 1:032x}"

    def _records(self, parent: TraceContext | None) -> bool:
        if self.exporter is None:
            return False
        if parent is not None and self._parent_based:
            return parent.sampled
        due, self._due = self._due or self.clock.random() < self._ratio, False
        return due

    def new_id(self) -> str:
        """The id of a new span."""
        return f"{self._bits(_SPAN_BITS) or 1:016x}"

    async def close(self) -> None:
        """Export what is left."""
        if self.exporter is not None:
            await self.exporter.close()


class PassedTrace:
    """vocabulary.RequestTrace of a request that is not recorded: its client's context is handed on as it came."""

    __slots__ = ("context",)
    recorded = False

    def __init__(self, context: TraceContext) -> None:
        self.context = context

    def stage(self, stage: Stage, started: float, seconds: float) -> None:
        """Nothing to record."""

    def departs(self, departure: Departure, others: Sequence[RequestTrace]) -> CallSpan:  # noqa: ARG002 - vocabulary.RequestTrace
        """What the call carries."""
        return _PassedCall(self.context.headers)

    def shares(self, context: TraceContext) -> None:
        """Nothing to record."""

    def answered(self, facts: Facts, code: str, status: int) -> None:
        """Nothing to record."""


class _PassedCall:
    __slots__ = ("headers", "status")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.status = 0

    def ended(self, outcome: str, tokens: int) -> None:
        """Nothing to record."""


class RecordedTrace:
    """vocabulary.RequestTrace that becomes spans. A call's span goes at once, the others once it is answered."""

    __slots__ = (
        "_dispatch",
        "_links",
        "_method",
        "_offset",
        "_parent",
        "_route",
        "_stages",
        "_started",
        "_tracing",
        "context",
    )
    recorded = True

    def __init__(self, tracing: Tracing, context: TraceContext, parent: str, method: str, route: str) -> None:
        self.context = context
        self._tracing = tracing
        self._parent = parent
        self._method = method
        self._route = route
        self._started = tracing.clock.monotonic()
        self._offset = tracing.wall() - int(self._started * _NANOS)
        self._stages: list[tuple[Stage, float, float]] = []
        self._dispatch = tracing.new_id()
        self._links: list[TraceContext] = []

    def stage(self, stage: Stage, started: float, seconds: float) -> None:
        """A stage ended."""
        self._stages.append((stage, started, seconds))

    def departs(self, departure: Departure, others: Sequence[RequestTrace]) -> CallSpan:
        """A call that is part of this request's dispatch; where others travel in it, it is linked to all of them."""
        context = TraceContext(self.context.trace_id, self._tracing.new_id(), sampled=True, state=self.context.state)
        recorded = [trace for trace in others if trace.recorded]
        for trace in recorded:
            trace.shares(context)
        links = (self.context, *(trace.context for trace in recorded)) if recorded else ()
        return _RecordedCall(self, context, departure, links, 1 + len(others))

    def shares(self, context: TraceContext) -> None:
        """The stage that waits for that call is linked to it."""
        self._links.append(context)

    def answered(self, facts: Facts, code: str, status: int) -> None:
        """Hand over the request's span and those of its stages."""
        spans = [self._of_stage(*stage) for stage in self._stages]
        spans.append(
            SpanRecord(
                request_name(self._method, self._route),
                Kind.SERVER if self._method else Kind.INTERNAL,
                self.context,
                self._parent,
                self.nanos(self._started),
                self.nanos(self._tracing.clock.monotonic()),
                request_attributes(facts, code, status, self._method, self._route),
                remote=bool(self._parent),
                failed=failed_here(status) if self._method else bool(code),
            )
        )
        self.export(spans)

    def _of_stage(self, stage: Stage, started: float, seconds: float) -> SpanRecord:
        dispatch = stage is Stage.DISPATCH
        return SpanRecord(
            stage.value,
            Kind.INTERNAL,
            TraceContext(self.context.trace_id, self._dispatch if dispatch else self._tracing.new_id(), sampled=True),
            self.context.span_id,
            self.nanos(started),
            self.nanos(started + seconds),
            stage_attributes(stage),
            tuple(self._links) if dispatch else (),
        )

    def export(self, spans: Sequence[SpanRecord]) -> None:
        """Hand over spans."""
        if self._tracing.exporter is not None:
            self._tracing.exporter.add(spans)

    def nanos(self, monotonic: float) -> int:
        """Nanoseconds since 1970 at a time of the clock."""
        return int(monotonic * _NANOS) + self._offset

    @property
    def dispatch(self) -> str:
        """The span of the stage that calls belong to."""
        return self._dispatch

    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self.nanos(self._tracing.clock.monotonic())


class _RecordedCall:
    __slots__ = ("_began", "_context", "_departure", "_links", "_requests", "_trace", "headers", "status")

    def __init__(
        self,
        trace: RecordedTrace,
        context: TraceContext,
        departure: Departure,
        links: tuple[TraceContext, ...],
        requests: int,
    ) -> None:
        self.headers: Mapping[str, str] = context.headers
        self.status = 0
        self._trace = trace
        self._context = context
        self._departure = departure
        self._links = links
        self._requests = requests
        self._began = trace.now()

    def ended(self, outcome: str, tokens: int) -> None:
        """Hand over the call's span."""
        span = SpanRecord(
            call_name(self._departure),
            Kind.CLIENT,
            self._context,
            self._trace.dispatch,
            self._began,
            self._trace.now(),
            call_attributes(self._departure, outcome, self.status, tokens, self._requests),
            self._links,
            failed=outcome != ANSWERED,
        )
        self._trace.export((span,))
