"""E: a worker's observer put together, with tracing where there is a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.observe.observer import RequestObserver
from gateway.observe.otlp import OtlpExporter
from gateway.observe.span_metrics import SpanMetrics
from gateway.observe.tracing import Tracing

if TYPE_CHECKING:
    from gateway.config.schema import Config
    from gateway.observe.metrics import Metrics
    from gateway.ports import Clock


def observer_of(config: Config, metrics: Metrics, clock: Clock) -> RequestObserver:
    """The exporter and the metric of what it does are there only where spans go anywhere."""
    traces = config.traces
    exporter = None if traces.endpoint is None else OtlpExporter(traces, SpanMetrics(metrics.registry).count)
    return RequestObserver(metrics, config.observe, clock, Tracing(traces, exporter, clock))
