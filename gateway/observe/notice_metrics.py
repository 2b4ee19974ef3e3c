"""E: metrics of money that runs low, and of the notices about it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class NoticeMetrics:
    """Tenants, meters and shares are those of the configuration, so the labels are few."""

    def __init__(self, registry: CollectorRegistry) -> None:
        threshold = Counter(
            "gateway_spending_thresholds",
            "Shares of a tenant's budget (day, month, fixed) or balance that were used; 1 is all of it.",
            ("tenant", "meter", "share"),
            registry=registry,
        )
        outcome = Counter(
            "gateway_webhook_notices",
            "Tries to deliver a notice, by outcome: delivered, retried, dead.",
            ("outcome",),
            registry=registry,
        )
        job_outcome = Counter(
            "gateway_job_webhook_notices",
            "Tries to deliver a notice about a job to the address its client named: delivered, retried, dead.",
            ("outcome",),
            registry=registry,
        )
        self.threshold = cache(threshold.labels)
        self.outcome = cache(outcome.labels)
        self.job_outcome = cache(job_outcome.labels)
