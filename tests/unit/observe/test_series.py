from __future__ import annotations

import asyncio

import pytest
from fakes.clock import FakeClock
from prometheus_client import CollectorRegistry

from gateway.config.schema import Observe
from gateway.observe.limit_metrics import OTHERS, TENANTS
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.observe.process_metrics import PROBE_SECONDS, ProcessMetrics
from gateway.vocabulary import Cause, Facts, Remaining, Saving

MOST = 2_000


def answered(tenant: str) -> Facts:
    facts = Facts("embeddings", "request-1")
    facts.model, facts.tenant = "m", tenant
    facts.reported_tokens = facts.upstream_tokens = facts.estimated_tokens = 3
    facts.savings = tuple(Saving(cause, 1, 2, 0.5, 0.1) for cause in Cause)
    facts.remaining = Remaining(7, 900)
    return facts


def test_any_number_of_tenants_is_a_bounded_number_of_series() -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(log_sample=0.0), FakeClock())
    for number in range(10_000):
        observer.request(answered(f"tenant-{number}"), 0.01, None)
    value = metrics.registry.get_sample_value
    assert value("gateway_tenant_tokens_total", {"tenant": "tenant-0", "kind": "upstream"}) == 3
    assert value("gateway_tenant_tokens_total", {"tenant": OTHERS, "kind": "upstream"}) == 3 * (10_000 - TENANTS)
    assert sum(len(metric.samples) for metric in metrics.registry.collect()) < MOST


def test_what_is_left_is_shown_for_a_tenant_and_for_nobody_who_stands_for_many() -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(log_sample=0.0), FakeClock())
    for tenant in ("search", "passthrough", "@anonymous"):
        observer.request(answered(tenant), 0.01, None)
    left = [metric for metric in metrics.registry.collect() if metric.name == "gateway_limit_remaining"]
    assert {(*sample.labels.values(), sample.value) for sample in left[0].samples} == {
        ("search", "requests", 7),
        ("search", "tokens", 900),
    }


class LateClock(FakeClock):
    """Wakes sleepers 0.2 s after they wanted."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + 0.2)


@pytest.fixture
def process() -> tuple[CollectorRegistry, ProcessMetrics]:
    """Made outside the event loop, as it looks its version up on disk."""
    registry = CollectorRegistry()
    return registry, ProcessMetrics(registry)


async def test_a_late_event_loop_is_seen(process: tuple[CollectorRegistry, ProcessMetrics]) -> None:
    (registry, metrics), clock = process, LateClock()
    task = asyncio.create_task(metrics.probe(clock))
    await clock.advance(3 * (PROBE_SECONDS + 0.2) + 0.01)
    task.cancel()
    value = registry.get_sample_value
    assert value("gateway_loop_lag_seconds_bucket", {"le": "0.1"}) == 0
    assert value("gateway_loop_lag_seconds_bucket", {"le": "0.25"}) == 3
