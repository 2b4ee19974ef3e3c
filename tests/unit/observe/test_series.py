from __future__ import annotations

import asyncio

import pytest
from fakes.clock import FakeClock
from prometheus_client import CollectorRegistry

from gateway.config.schema import Observe
from gateway.leasing.lease import Lease
from gateway.observe.limit_metrics import OTHERS, TENANTS
from gateway.observe.meter_metrics import MeterMetrics
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.observe.process_metrics import PROBE_SECONDS, ProcessMetrics
from gateway.vocabulary import Cause, Facts, Limits, Meter, Saving, Scope

MOST = 2_000


def answered(tenant: str) -> Facts:
    facts = Facts("embeddings", "request-1")
    facts.model, facts.tenant = "m", tenant
    facts.reported_tokens = facts.upstream_tokens = facts.estimated_tokens = 3
    facts.savings = tuple(Saving(cause, 1, 2, 0.5, 0.1) for cause in Cause)
    return facts


def lease(subject: str, scope: Scope = Scope.TENANT) -> Lease:
    return Lease(Meter(subject, scope, Limits(10, 1_000, 4)), "holder", 0.0)


def test_any_number_of_tenants_is_a_bounded_number_of_series() -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(log_sample=0.0), FakeClock())
    for number in range(10_000):
        observer.request(answered(f"tenant-{number}"), 0.01, None)
    value = metrics.registry.get_sample_value
    assert value("gateway_tenant_tokens_total", {"tenant": "tenant-0", "kind": "upstream"}) == 3
    assert value("gateway_tenant_tokens_total", {"tenant": OTHERS, "kind": "upstream"}) == 3 * (10_000 - TENANTS)
    samples = [sample for metric in metrics.registry.collect() for sample in metric.samples]
    assert len(samples) + sum(sample.native_histogram is not None for sample in samples) < MOST


def test_a_million_keys_are_no_series_and_all_gauges_at_their_fullest_few() -> None:
    """What one call can vary is its key and so its tenant, its id, its model and path; the last two are test_series'
    of the edge."""
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(log_sample=0.0), FakeClock())
    facts = Facts("other", "")
    for number in range(1_000_000):
        facts.tenant, facts.key_id, facts.request_id = f"t{number:x}", f"k{number:x}", f"r{number:x}"
        observer.request(facts, 0.01, None)
    meters = MeterMetrics(metrics.registry, metrics.limits.tenant)
    for number in range(2 * TENANTS):
        observer.request(answered(f"t{number:x}"), 0.01, None)
    names = [f"t{number:x}" for number in range(1_000)]
    meters.show_limits([one for name in names for one in (lease(f"t:{name}"), lease(f"b:{name}:day", Scope.BUDGET))], 1)
    series = {sample.name + str(sample.labels) for metric in metrics.registry.collect() for sample in metric.samples}
    assert sum("gateway_limit_used" in one for one in series) == 2 * TENANTS
    assert sum("gateway_budget_used" in one for one in series) == TENANTS
    assert len(series) < MOST
    assert metrics.registry.get_sample_value(
        "gateway_requests_total", {"endpoint": "other", "status": "200", "code": "OK"}
    ) == 1_000_000  # fmt: skip


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
