"""E: the table of all metrics in docs/metrics.md, made from what the code registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.observe.cache_metrics import CacheMetrics
from gateway.observe.jobs import JobMetrics
from gateway.observe.meter_metrics import MeterMetrics
from gateway.observe.metrics import Metrics
from gateway.observe.notice_metrics import NoticeMetrics
from gateway.observe.process_metrics import ProcessMetrics
from gateway.observe.queue_metrics import QueueMetrics
from gateway.observe.runtime_metrics import RuntimeMetrics
from gateway.observe.span_metrics import SpanMetrics
from gateway.observe.station_metrics import StationMetrics
from gateway.observe.store_metrics import SharedMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

START = "<!-- made by `make docs` from gateway/observe; a test compares -->\n"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric; `name` is what a query says (a classic histogram's has _bucket, _sum and _count behind it)."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names that Prometheus stores."""
        classic = tuple(f"{self.name}_{end}" for end in ("bucket", "sum", "count")) if self.histogram else ()
        return (self.name, *classic)

    @property
    def histogram(self) -> bool:
        """Whether it has buckets."""
        return self.kind == "histogram"


def instruments() -> list[Instrument]:
    """Every metric that a worker may show, by name."""
    metrics = Metrics()
    metrics.reloads  # noqa: B018 - registered when it is first asked for
    MeterMetrics(metrics.registry, metrics.limits.tenant)
    parts = (QueueMetrics, NoticeMetrics, JobMetrics, ProcessMetrics, RuntimeMetrics, CacheMetrics, StationMetrics)
    for part in (*parts, SpanMetrics):
        part(metrics.registry)
    return sorted(_all(metrics.registry), key=lambda instrument: instrument.name)


def _all(registry: CollectorRegistry) -> Iterator[Instrument]:
    """The library names a registry's metrics, but tells their label names only inside."""
    known: list[Any] = list(registry._collector_to_names)  # noqa: SLF001 - see above
    for metric in known:
        kind = metric._type  # noqa: SLF001 - see above
        name = f"{metric._name}_total" if kind == "counter" else metric._name  # noqa: SLF001 - see above
        yield Instrument(name, kind, tuple(metric._labelnames), metric._documentation)  # noqa: SLF001 - see above
    for family in SharedMetrics().describe():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield Instrument(name, family.type, family._labelnames, family.documentation)  # type: ignore[attr-defined] # noqa: SLF001 - see above


def reference() -> str:
    """The table in Markdown."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for one in instruments():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.meaning.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
