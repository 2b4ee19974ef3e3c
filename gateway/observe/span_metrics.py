"""E: what became of spans on their way to the collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_OUTCOMES = ("exported", "failed", "dropped")


class SpanMetrics:
    """One for a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        spans = Counter(
            "gateway_spans",
            "Spans of traces: exported, failed (the collector did not take them), dropped (the queue was full).",
            ("outcome",),
            registry=registry,
        )
        self._outcomes = {outcome: spans.labels(outcome) for outcome in _OUTCOMES}

    def count(self, outcome: str, number: int) -> None:
        """So many spans had that outcome; from any thread."""
        self._outcomes[outcome].inc(number)
