"""E: this worker's metrics as amounts by name, for whoever looks at the last minutes (settle.recent)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from gateway.settle.recent import TENANT, UNDER

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

OURS = frozenset(
    {"admin", "console", "docs", "health", "info", "live", "metrics", "models", "openapi", "other", "ready", "usage"}
)
"""Endpoints that are no work: probes, pages, and paths that do not exist."""

_REFUSED, _FAILED = "4", "5"
_NANOS = 1_000_000_000
_READ = (
    "gateway_requests_total",
    "gateway_request_seconds_bucket",
    "gateway_cache_units_total",
    "gateway_tokens_total",
    "gateway_tenant_tokens_total",
    "gateway_saved_tokens_total",
    "gateway_saved_dollars_total",
    "gateway_upstream_calls_total",
)


class Tally:
    """Reads some of a registry beside the event loop, so that nobody waits for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def amounts(self) -> dict[str, int]:
        """Everything since the worker started."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for metric in self._registry.restricted_registry(_READ).collect():
            for sample in metric.samples:
                for name, amount in _named(sample.name, sample.labels, sample.value):
                    found[name] += amount
        return dict(found)


def _named(metric: str, labels: dict[str, str], value: float) -> list[tuple[str, int]]:
    """What a sample counts in."""
    if labels.get("endpoint") in OURS:
        return []
    amount = round(value)
    match metric:
        case "gateway_requests_total":
            kinds = {_REFUSED: ["requests", "refused"], _FAILED: ["requests", "failed"]}
            return [(name, amount) for name in kinds.get(labels["status"][:1], ["requests"])]
        case "gateway_request_seconds_bucket":
            return [(f"{UNDER}{float(labels['le'])}", amount)]
        case "gateway_cache_units_total":
            return [("units", amount)] if labels["outcome"] == "miss" else [("units", amount), ("hits", amount)]
        case "gateway_tokens_total":
            return [("tokens" if labels["kind"] == "reported" else "paid", amount)]
        case "gateway_tenant_tokens_total":
            return [(f"{TENANT}{labels['tenant']}", amount)] if labels["kind"] == "reported" else []
        case "gateway_saved_tokens_total":
            return [("saved", amount)]
        case "gateway_saved_dollars_total":
            return [("saved_nanos", round(value * _NANOS))]
        case _:
            return [("calls", amount)]
