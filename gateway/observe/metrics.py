"""E: every metric by name, with closed label sets; children are bound once."""

from __future__ import annotations

import os
from functools import cache, cached_property

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.vocabulary import Stage

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Set before this module is imported, workers keep their values in that folder, and any of them shows the sum."""

_SAVED = "not spent at a backend, by cause: stored, pair, duplicate, in_flight."

_FAST = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
_WHOLE = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """One for a process. `bind` methods answer a child that is kept, so that the hot path looks nothing up."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
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
        self._tokens = Counter(
            "gateway_tokens",
            "Tokens: reported to clients, and counted by backends (upstream).",
            ("model", "kind"),
            registry=registry,
        )
        self._tenant_tokens = Counter(
            "gateway_tenant_tokens", "The same tokens by tenant of the config.", ("tenant", "kind"), registry=registry
        )
        self._saved = {
            unit: Counter(
                f"gateway_saved_{unit}", f"{unit.capitalize()} {_SAVED}", ("model", "cause"), registry=registry
            )
            for unit in ("tokens", "dollars", "seconds")
        }
        self._tenant_saved = Counter(
            "gateway_tenant_saved_tokens", f"Tokens {_SAVED}", ("tenant", "cause"), registry=registry
        )
        self._rejections = Counter(
            "gateway_rejections", "Requests refused by a limit or for want of a key.", ("code",), registry=registry
        )
        self._upstream = Counter(
            "gateway_upstream_calls", "Calls to backends.", ("backend", "endpoint", "outcome"), registry=registry
        )
        self._upstream_latency = Histogram(
            "gateway_upstream_seconds", "Time of a call to a backend.", ("backend",), buckets=_WHOLE, registry=registry
        )
        self._store_failures = Counter(
            "gateway_store_failures", "Store commands that failed or took too long.", ("role",), registry=registry
        )
        self.request = cache(self._requests.labels)
        self.latency = cache(self._latency.labels)
        self.stage = {stage: self._stages.labels(stage.value) for stage in Stage}
        self.units = cache(self._units.labels)
        self.tokens = cache(self._tokens.labels)
        self.tenant_tokens = cache(self._tenant_tokens.labels)
        self.saved = cache(lambda unit, model, cause: self._saved[unit].labels(model, cause))
        self.tenant_saved = cache(self._tenant_saved.labels)
        self.rejection = cache(self._rejections.labels)
        self.upstream = cache(self._upstream.labels)
        self.upstream_latency = cache(self._upstream_latency.labels)
        self.store_failure = cache(self._store_failures.labels)

    @cached_property
    def reloads(self) -> Counter:
        """Readings of a changed configuration."""
        words = "Readings of a changed configuration: applied, invalid, restart_needed."
        return Counter("gateway_config_reloads", words, ("outcome",), registry=self.registry)

    def render(self) -> tuple[bytes, str]:
        """All values in Prometheus' text format, and its content type; of all workers where they share a folder."""
        registry = self.registry
        if os.environ.get(MULTIPROCESS):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
