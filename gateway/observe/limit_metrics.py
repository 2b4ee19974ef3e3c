"""E: metrics of what limits leave, of those that did not refuse, and of decisions without the store."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.vocabulary.exchange import PASSTHROUGH

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from gateway.vocabulary import Remaining

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
        remaining = Gauge(
            "gateway_limit_remaining",
            "What is left of a tenant's requests and tokens in its minute, as it was last told.",
            ("tenant", "window"),
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self._remaining = cache(remaining.labels)
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

    def left(self, tenant: str, remaining: Remaining | None) -> None:
        """A tenant was told what it has left. Names for many with limits of their own have no such value."""
        if remaining is None or tenant == PASSTHROUGH or tenant.startswith("@"):
            return
        for window, amount in (("requests", remaining.requests), ("tokens", remaining.tokens)):
            if amount is not None:
                self._remaining(tenant, window).set(amount)
