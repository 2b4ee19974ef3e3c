"""E: every metric by name, with closed label sets; children are bound once."""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    disable_created_metrics,
    generate_latest,
)

from gateway.observe.exposition import PROTOBUF, protobuf, wants_protobuf
from gateway.observe.histograms import Histogram, bounds_in
from gateway.observe.late import Counter, write_owed
from gateway.observe.limit_metrics import LimitMetrics
from gateway.observe.queue_metrics import forget_dead_workers
from gateway.observe.workers import WorkersMetrics
from gateway.vocabulary import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.registry import Collector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Set before this module is imported, workers keep their values in that folder, and any of them shows the sum."""

_SAVED = "not spent at a backend, by cause: stored, derived, promoted, pair, duplicate, in_flight."

_FAILED = "Store commands that failed or took too long."
_UNJOURNALED = "Requests counted in memory alone, as the ledger's journal is full: lost if their worker dies."

_FAST = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
_WHOLE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

_RATIOS = (0.5, 0.8, 0.9, 0.99, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
"""What lies above 0.99 and up to 1.0 was exact; what lies below was too little."""


class Metrics:
    """One for a process. `bind` methods answer a child that is kept, so that the hot path looks nothing up."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series more for each, which nobody asks for
        self.registry = registry = CollectorRegistry()
        self.before_render: list[Callable[[], None]] = []
        self._requests = Counter(
            "gateway_requests", "Answered requests.", ("endpoint", "status", "code"), registry=registry
        )
        self._latency = Histogram(
            "gateway_request_seconds", "From request to answer.", ("endpoint",), buckets=_WHOLE, registry=registry
        )
        self._stages = Histogram(
            "gateway_stage_seconds", "Time in a stage of the pipeline.", ("stage",), buckets=_FAST, registry=registry
        )
        self._units = Counter(
            "gateway_cache_units",
            "Inputs by source of their answer: hit (stored), duplicate (in the same list), miss (asked upstream).",
            ("endpoint", "outcome"),
            registry=registry,
        )
        self._count_tokens(registry)
        self._rejections = Counter(
            "gateway_rejections", "Requests refused by a limit or for want of a key.", ("code",), registry=registry
        )
        self._upstream = Counter(
            "gateway_upstream_calls", "Calls to backends.", ("backend", "endpoint", "outcome"), registry=registry
        )
        self._upstream_latency = Histogram(
            "gateway_upstream_seconds", "Time of a call to a backend.", ("backend",), buckets=_WHOLE, registry=registry
        )
        self._store_failures = Counter("gateway_store_failures", _FAILED, ("role",), registry=registry)
        self.unjournaled = Counter("gateway_ledger_unjournaled", _UNJOURNALED, registry=registry)
        self.request = cache(self._requests.labels)
        self.latency = cache(self._latency.labels)
        self.stage = {stage: self._stages.labels(stage.value) for stage in Stage}
        self.units = cache(self._units.labels)
        self.rejection = cache(self._rejections.labels)
        self.upstream = cache(self._upstream.labels)
        self.upstream_latency = cache(self._upstream_latency.labels)
        self.store_failure = cache(self._store_failures.labels)
        self.limits = LimitMetrics(registry)

    def _count_tokens(self, registry: CollectorRegistry) -> None:
        """What was reserved, counted, reported and saved."""
        tokens = Counter(
            "gateway_tokens",
            "Tokens: reported to clients, and counted by backends (upstream).",
            ("model", "kind"),
            registry=registry,
        )
        tenant_tokens = Counter(
            "gateway_tenant_tokens", "The same tokens by tenant of the config.", ("tenant", "kind"), registry=registry
        )
        estimate = Histogram(
            "gateway_token_estimate_ratio",
            "Tokens reserved for what a backend was asked, over the tokens that it counted.",
            ("model",),
            buckets=_RATIOS,
            registry=registry,
        )
        excess = Counter(
            "gateway_token_excess",
            "Tokens that a backend counted above the reservation; they are charged all the same.",
            ("model",),
            registry=registry,
        )
        saved = {
            unit: Counter(
                f"gateway_saved_{unit}", f"{unit.capitalize()} {_SAVED}", ("model", "cause"), registry=registry
            )
            for unit in ("inputs", "tokens", "dollars", "seconds")
        }
        tenant_saved = Counter(
            "gateway_tenant_saved_tokens", f"Tokens {_SAVED}", ("tenant", "cause"), registry=registry
        )
        self.tokens = cache(tokens.labels)
        self.tenant_tokens = cache(tenant_tokens.labels)
        self.estimate = cache(estimate.labels)
        self.excess = cache(excess.labels)
        self.saved = cache(lambda unit, model, cause: saved[unit].labels(model, cause))
        self.tenant_saved = cache(tenant_saved.labels)

    @cached_property
    def reloads(self) -> Counter:
        """Readings of a changed configuration."""
        words = "Readings of a changed configuration: applied, invalid, restart_needed."
        return Counter("gateway_config_reloads", words, ("outcome",), registry=self.registry)

    def render(self, accept: str = "", also: Collector | None = None) -> tuple[bytes, str]:
        """All values, and those of `also`, and their content type; of all workers where they share a folder.

        They are in Prometheus' text format, unless an Accept header wants protobuf, which has native histograms, too.
        """
        for report in self.before_render:
            report()
        write_owed()
        shown: list[Collector] = [self.registry, *([also] if also else ())]
        if folder := os.environ.get(MULTIPROCESS):
            forget_dead_workers(folder)
            shown[0] = WorkersMetrics(folder, bounds_in(self.registry))
        if wants_protobuf(accept):
            return b"".join([protobuf(one.collect()) for one in shown]), PROTOBUF
        return b"".join([generate_latest(one) for one in shown]), CONTENT_TYPE_LATEST
