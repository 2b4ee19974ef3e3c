"""E: what the metrics of all workers of this gateway add up to since it started, for the console."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from gateway.observe.metrics import Metrics

SAVED = {
    "gateway_saved_tokens_total": "tokens",
    "gateway_saved_dollars_total": "usd",
    "gateway_saved_seconds_total": "seconds",
}
MEMORY = {
    "gateway_memory_entries": "entries",
    "gateway_memory_bytes": "bytes",
    "gateway_memory_limit_bytes": "most",
    "gateway_memory_evictions_total": "evicted",
}
"""The in-process layers."""
_UNITS = "gateway_cache_units_total"

Rows = dict[tuple[str, str], dict[str, float]]


class Sums:
    """Reads what one scrape would show, beside the event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def cache(self) -> tuple[Rows, dict[str, dict[str, float]], dict[str, float]]:
        """Savings by model and cause, inputs by endpoint and where their answer came from, and what memory holds."""
        return await asyncio.to_thread(self._cache)

    def _cache(self) -> tuple[Rows, dict[str, dict[str, float]], dict[str, float]]:
        saved: Rows = defaultdict(lambda: dict.fromkeys(SAVED.values(), 0.0))
        units: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("hit", "duplicate", "miss"), 0.0))
        memory = dict.fromkeys(MEMORY.values(), 0.0)
        body, _ = self._metrics.render()
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if kind := SAVED.get(sample.name):
                    saved[sample.labels["model"], sample.labels["cause"]][kind] += sample.value
                elif sample.name == _UNITS:
                    units[sample.labels["endpoint"]][sample.labels["outcome"]] += sample.value
                elif kind := MEMORY.get(sample.name):
                    memory[kind] += sample.value
        return dict(saved), dict(units), memory
