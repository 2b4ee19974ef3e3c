"""E: metrics of limits that did not refuse and of decisions without the store, and which tenants have series."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

TENANTS = 100
"""So many tenants have series of their own in a worker; the rest share OTHERS, as the admin API makes any number."""

OTHERS = "@others"


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
        self._tenants: set[str] = set()
        self.shadowed = cache(shadowed.labels)
        self.degraded = cache(degraded.labels)

    def tenant(self, name: str) -> str:
        """What metrics call a tenant."""
        if name not in self._tenants:
            if len(self._tenants) >= TENANTS:
                return OTHERS
            self._tenants.add(name)
        return name
