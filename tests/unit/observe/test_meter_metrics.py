from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.quota import FakeQuota
from prometheus_client import CollectorRegistry

from gateway.leasing.lease import Lease
from gateway.leasing.leases import Leases, RefusedError
from gateway.observe.meter_metrics import ACCOUNTS, EVERYBODY, FRESH_SECONDS, Account, MeterMetrics
from gateway.tasks import TaskGroup
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits(10, 1_000, 4)
Value = dict[tuple[str, ...], float]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def meters(registry: CollectorRegistry) -> MeterMetrics:
    return MeterMetrics(registry, lambda name: name)


@pytest.fixture
def shown(registry: CollectorRegistry) -> Callable[[str], Value]:
    def values(name: str) -> Value:
        families = {family.name: family for family in registry.collect()}
        samples = families[name.removesuffix("_total")].samples
        return {tuple(sample.labels.values()): sample.value for sample in samples if sample.name == name}

    return values


def lease(subject: str, scope: Scope = Scope.TENANT, limits: Limits = LIMITS) -> Lease:
    return Lease(Meter(subject, scope, limits), "holder", 0.0)


def test_what_is_used_and_left_of_limits(meters: MeterMetrics, shown: Callable[[str], Value]) -> None:
    search, total = lease("t:search"), lease("total", Scope.TOTAL, Limits(None, 50, None))
    search.take(3, 200, 1, 1.0)
    total.take(3, 60, 1, 1.0, leased=False)
    key, address = lease("k:abc", Scope.KEY), lease("ip:::1", Scope.ADDRESS)
    passed = lease("t:key-0123456789ab")
    passed.meter = replace(passed.meter, expires=True)
    meters.show_limits([search, total, key, address, passed], 1.0)
    assert shown("gateway_limit_used") == {
        ("search", "requests"): 3,
        ("search", "tokens"): 200,
        (EVERYBODY, "tokens"): 60,
    }
    assert shown("gateway_limit_remaining") == {
        ("search", "requests"): 7,
        ("search", "tokens"): 800,
        (EVERYBODY, "tokens"): 0,
    }
    assert shown("gateway_limit_running") == {("search",): 1}


def test_a_limit_that_nobody_uses_is_whole_again(meters: MeterMetrics, shown: Callable[[str], Value]) -> None:
    search = lease("t:search", limits=Limits(10, None, None))
    search.take(3, 0, 0, 1.0)
    meters.show_limits([search], 1.0)
    search.busy[0] = 0
    meters.show_limits([search], FRESH_SECONDS + 1)
    assert shown("gateway_limit_used") == {("search", "requests"): 0}
    assert shown("gateway_limit_remaining") == {("search", "requests"): 10}


def test_budgets_are_shown_as_shares_and_not_those_of_passed_keys(
    meters: MeterMetrics, shown: Callable[[str], Value]
) -> None:
    names = ("b:team:a:day", "b:key-0123456789ab:day", "b:free:month")
    budgets = [lease(name, Scope.BUDGET, Limits(None, 1_000, None)) for name in names]
    for budget in budgets:
        budget.take(0, 250, 0, 1.0)
    budgets[2].meter = replace(budgets[2].meter, limits=Limits(None, None, None))
    meters.show_limits(budgets, 1.0)
    assert shown("gateway_budget_used_ratio") == {("team:a", "day"): 0.25}


def test_what_our_keys_have_left(meters: MeterMetrics, shown: Callable[[str], Value]) -> None:
    used = lease("u:1", Scope.UPSTREAM)
    used.take(4, 900, 1, 1.0)
    accounts = [Account("jina", "0", LIMITS, used, 5.0), Account("jina", "1", LIMITS, None, 0.0)]
    meters.show_accounts(accounts, 1.0)
    left = {
        ("jina", "0", "requests"): 6,
        ("jina", "0", "tokens"): 100,
        ("jina", "1", "requests"): 10,
        ("jina", "1", "tokens"): 1_000,
    }
    assert shown("gateway_upstream_key_remaining") == left
    assert shown("gateway_upstream_key_limit") == {labels: 10 if "requests" in labels else 1_000 for labels in left}
    assert shown("gateway_upstream_key_paused") == {("jina", "0"): 1, ("jina", "1"): 0}
    meters.show_accounts([Account("many", str(place), LIMITS, None, 0.0) for place in range(1_000)], 1.0)
    assert len(shown("gateway_upstream_key_paused")) == ACCOUNTS + 2


async def test_a_refusal_is_counted_by_what_was_full(meters: MeterMetrics, shown: Callable[[str], Value]) -> None:
    clock, observer = FakeClock(), FakeObserver()
    leases = Leases(FakeQuota(clock.milliseconds), clock, TaskGroup(), observer)
    await leases.tick()
    shadow = Meter("k:a", Scope.KEY, Limits(0, None, None), shadow=True)
    for scope, limits in (
        (Scope.TENANT, Limits(0, None, None)),
        (Scope.BUDGET, Limits(None, 0, None)),
        (Scope.UPSTREAM, Limits(0, None, None)),
    ):
        with pytest.raises(RefusedError):
            await leases.take(
                [(leases.of(shadow), 1, 0, 0), (leases.of(Meter(scope, scope, limits)), 1, 1, 0)], patient=False
            )
    for _ in range(2):  # each look adds what is new
        meters.show_refusals(leases.refusals)
    assert shown("gateway_limit_rejections_total") == {("tenant", "requests"): 1, ("budget", "budget"): 1}
    assert observer.shadows == ["key"] * 3
