"""E: this worker's metrics as amounts by name, for whoever looks at the last minutes (settle.recent)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from gateway.observe.late import write_owed
from gateway.settle.recent import TENANT, UNDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

OURS = frozenset(
    {"admin", "console", "docs", "health", "info", "live", "metrics", "models", "openapi", "other", "ready", "usage"}
)
"""Endpoints that are no work: probes, pages, and paths that do not exist."""


class Tally:
    """Reads some of a registry beside the event loop, so that nobody waits for it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def amounts(self) -> dict[str, int]:
        """Everything since the worker started."""
        write_owed()
        return await asyncio.to_thread(self._read)

    def _read(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for metric in self._registry.restricted_registry(_NAMES).collect():
            for sample in metric.samples:
                for name, amount in _named(sample.name, sample.labels, sample.value):
                    found[name] += amount
        return dict(found)


def _named(metric: str, labels: dict[str, str], value: float) -> list[tuple[str, int]]:
    """What a sample counts in."""
    if labels.get("endpoint") in OURS:
        return []
    return [(name, round(value * _TIMES.get(name, 1))) for name in _NAMES[metric](labels)]


def _of_tenant(labels: dict[str, str]) -> list[str]:
    return [f"{TENANT}{labels['tenant']}"] if labels["kind"] == "reported" else []


_ANSWERED = {"4": ["requests", "refused"], "5": ["requests", "failed"]}
_TIMES = {"saved_nanos": 1_000_000_000}

_NAMES: Mapping[str, Callable[[dict[str, str]], list[str]]] = {
    "gateway_requests_total": lambda labels: _ANSWERED.get(labels["status"][:1], ["requests"]),
    "gateway_request_seconds_bucket": lambda labels: [f"{UNDER}{float(labels['le'])}"],
    "gateway_cache_units_total": lambda labels: ["units"] if labels["outcome"] == "miss" else ["units", "hits"],
    "gateway_tokens_total": lambda labels: ["tokens" if labels["kind"] == "reported" else "paid"],
    "gateway_tenant_tokens_total": _of_tenant,
    "gateway_saved_tokens_total": lambda _: ["saved"],
    "gateway_saved_dollars_total": lambda _: ["saved_nanos"],
    "gateway_upstream_calls_total": lambda _: ["calls"],
}
