"""E: metrics of limits that did not refuse, and of decisions without the store."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class LimitMetrics:
    """Children are bound once and kept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        shadowed = Counter(
            "gateway_shadow_rejections",
            "Requests that a limit in shadow mode would have refused.",
            ("scope",),
            registry=registry,
        )
        degraded = Counter(
            "gateway_limiter_degraded",
            "Requests admitted or refused without the store.",
            ("decision",),
            registry=registry,
        )
        self.shadowed = cache(shadowed.labels)
        self.degraded = cache(degraded.labels)
