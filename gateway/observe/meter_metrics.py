"""E: metrics of limits, budgets and our keys at upstreams, read from what a worker holds of their meters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.observe.levels import Growths, Levels
from gateway.ports import NOTHING
from gateway.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client import CollectorRegistry

    from gateway.leasing.lease import Lease
    from gateway.observe.levels import Labels
    from gateway.ports import Amounts
    from gateway.vocabulary import Limits

FRESH_SECONDS = 10.0
"""A worker that has not heard of a meter for longer knows nothing of it: others may, or nobody uses it."""

ACCOUNTS = 50
"""So many of our keys at upstreams have series of their own: those that come first in the configuration."""

EVERYBODY = "@total"
_WINDOWS = ("requests", "tokens")
_KEY = re.compile("key-[0-9a-f]{12}")
"""What a passed-through key is called as a tenant: there is no end of them."""


@dataclass(frozen=True, slots=True)
class Account:
    """One of our keys: whose, at which place of the configuration, and until when it rests (monotonic seconds)."""

    backend: str
    place: str
    limits: Limits
    lease: Lease | None
    paused_until: float


class MeterMetrics:
    """What all workers together use, as each believes: of several beliefs the one with least left is shown."""

    def __init__(self, registry: CollectorRegistry, tenant: Callable[[str], str]) -> None:
        self._tenant = tenant
        self._used = Levels(Gauge(
            "gateway_limit_used", "What a tenant, or @total, has used of its requests and tokens in the last minute.",
            ("tenant", "window"), registry=registry, multiprocess_mode="livemax"))  # fmt: skip
        self._remaining = Levels(Gauge(
            "gateway_limit_remaining", "What is left of these limits.",
            ("tenant", "window"), registry=registry, multiprocess_mode="livemin"))  # fmt: skip
        self._running = Levels(Gauge(
            "gateway_limit_running", "Requests that run now of a tenant, or @total, with a limit on concurrency.",
            ("tenant",), registry=registry, multiprocess_mode="livesum"))  # fmt: skip
        self._rejections = Growths(Counter(
            "gateway_limit_rejections", "Refusals by whose limit was full (tenant, key, address, ...), and of what.",
            ("scope", "window"), registry=registry))  # fmt: skip
        self._budgets = Levels(Gauge(
            "gateway_budget_used_ratio",
            "Used share of a tenant's budget (day, month, fixed) or balance, while it is in use.",
            ("tenant", "meter"), registry=registry, multiprocess_mode="livemax"))  # fmt: skip
        self._headroom = Levels(Gauge(
            "gateway_upstream_key_remaining",
            "What a backend's configured limits leave of one of our keys; the first is 0.",
            ("backend", "account", "window"), registry=registry, multiprocess_mode="livemin"))  # fmt: skip
        self._allowance = Levels(Gauge(
            "gateway_upstream_key_limit", "That limit.",
            ("backend", "account", "window"), registry=registry, multiprocess_mode="livemax"))  # fmt: skip
        self._paused = Levels(Gauge(
            "gateway_upstream_key_paused", "1 while one of our keys is left alone: after a 429, or as it was refused.",
            ("backend", "account"), registry=registry, multiprocess_mode="livemax"))  # fmt: skip

    def show_limits(self, leases: Iterable[Lease], now: float) -> None:
        """Tenants' limits and budgets as they are now; `now` is in monotonic seconds."""
        used: dict[Labels, float] = {}
        left: dict[Labels, float] = {}
        whole: dict[Labels, float] = {}
        budgets: dict[Labels, float] = {}
        running: dict[Labels, float] = {}
        for lease in leases:
            if not _fresh(lease, now):
                continue
            if lease.meter.scope is Scope.BUDGET:
                budgets |= self._budget(lease)
            elif (name := self._name(lease)) is not None:
                for labels, limit, amount in _windows(lease.meter.limits, lease.used, (name,)):
                    used[labels], left[labels], whole[labels] = amount, max(0, limit - amount), limit
                if lease.meter.limits.concurrency is not None:
                    running[name,] = lease.busy[2] + lease.unleased[2]
        self._used.show(used)
        self._remaining.show(left, whole)
        self._running.show(running)
        self._budgets.show(budgets)

    def show_refusals(self, refusals: Mapping[tuple[str, str], int]) -> None:
        """By scope and window; calls that wait for an upstream's allowance are not refused, they ask again."""
        self._rejections.show({
            (scope, "budget" if scope == Scope.BUDGET else window): count
            for (scope, window), count in refusals.items() if scope != Scope.UPSTREAM
        })  # fmt: skip

    def show_accounts(self, accounts: Iterable[Account], now: float) -> None:
        """Our keys at upstreams; one that nobody used lately has all it allows."""
        left: dict[Labels, float] = {}
        whole: dict[Labels, float] = {}
        paused: dict[Labels, float] = {}
        for one in islice(accounts, ACCOUNTS):
            paused[one.backend, one.place] = float(one.paused_until > now)
            used = one.lease.used if one.lease is not None and _fresh(one.lease, now) else NOTHING
            for labels, limit, amount in _windows(one.limits, used, (one.backend, one.place)):
                left[labels], whole[labels] = max(0, limit - amount), limit
        self._headroom.show(left, whole)
        self._allowance.show(whole, whole)
        self._paused.show(paused)

    def _name(self, lease: Lease) -> str | None:
        """What metrics call whose limit it is; keys, addresses and all passed-through keys together have no series."""
        if lease.meter.scope is Scope.TOTAL:
            return EVERYBODY
        tenant = lease.meter.subject.partition(":")[2]
        if lease.meter.scope is not Scope.TENANT or lease.meter.expires:
            return None
        return self._own(tenant)

    def _budget(self, lease: Lease) -> dict[Labels, float]:
        tenant, _, meter = lease.meter.subject.removeprefix("b:").rpartition(":")
        name, limit = None if _KEY.fullmatch(tenant) else self._own(tenant), lease.meter.limits.tokens
        return {(name, meter): lease.used.tokens / limit} if limit and name is not None else {}

    def _own(self, tenant: str) -> str | None:
        """The name of a tenant that has series of its own."""
        name = self._tenant(tenant)
        return None if name.startswith("@") else name


def _fresh(lease: Lease, now: float) -> bool:
    return now - lease.checked <= FRESH_SECONDS or any(lease.busy)


def _windows(limits: Limits, used: Amounts, labels: Labels) -> Iterable[tuple[Labels, int, int]]:
    """Labels with the window's name, limit, what is used; windows without a limit have none."""
    bounds = (limits.requests, limits.tokens)
    for window, limit, amount in zip(_WINDOWS, bounds, used[:2], strict=True):
        if limit is not None:
            yield (*labels, window), limit, amount
