"""How limits stand, on the fake store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import Gateway, configured
from fakes.live import FakeReadings

from gateway.admit.in_force import Bound
from gateway.admit.standing import Standing, nearest
from gateway.config.backends import Backend, KeyLimits
from gateway.config.schema import Bounds, LimitSettings, Tenant, Tier
from gateway.config.spending import Budget
from gateway.dispatch.allowances import allowances
from gateway.dispatch.pool import Outside, Pool
from gateway.errors import StoreError
from gateway.vocabulary import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

TIER = Tier(
    rpm=10,
    tpm=1_000,
    concurrency=2,
    each_key=Bounds(rpm=5, shadow=True),
    endpoints={"classify": Bounds(rpm=3)},
    models={"jina-embeddings-v3": Bounds(tpm=400)},
    budgets=(Budget(usd="0.000001", per="day"),),
)
KEYS = ("jina_" + "a" * 60, "jina_" + "c" * 60)


def gateway() -> Gateway:
    return Gateway(
        configured(
            tiers={"small": TIER},
            tenants={
                "search": Tenant(tier="small", keys=KEYS),
                "blog": Tenant(tier="small", keys=("jina_" + "b" * 60,)),
            },
            limits=LimitSettings(total=Bounds(rpm=100), models={"jina-embeddings-v3": Bounds(tpm=9_000)}),
        )
    )


def told(rows: Iterable[Bound]) -> list[tuple[Any, ...]]:
    return [(row.tenant, row.scope.value, row.name, row.kind, row.limit, row.used, row.left) for row in rows]


async def test_every_bound_of_a_tenant_and_of_everybody_is_there_with_what_is_used() -> None:
    world = gateway()
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": ["one two three"]})
    _, facts = await world.ask("embeddings", body)
    await world.leases.tick()
    standing = Standing(FakeReadings(world.quota), world.budgets)
    rows = await standing.of(world.pipeline.snapshot, "search")
    keys = [caller.key_id for caller in world.pipeline.snapshot.directory.values() if caller.tenant == "search"]
    tokens, nanos = facts.upstream_tokens, facts.nanos
    assert tokens > 0
    assert nanos > 0
    assert told(rows) == [
        ("search", "tenant", "", "requests", 10, 1, 9),
        ("search", "tenant", "", "tokens", 1_000, tokens, 1_000 - tokens),
        ("search", "tenant", "", "concurrency", 2, 0, 2),
        ("search", "key", keys[0], "requests", 5, 1, 4),
        ("search", "key", keys[1], "requests", 5, 0, 5),
        ("search", "endpoint", "classify", "requests", 3, 0, 3),
        ("search", "model", "jina-embeddings-v3", "tokens", 400, tokens, 400 - tokens),
        ("search", "budget", "day", "usd", 1_000, nanos, 1_000 - nanos),
        ("", "total", "", "requests", 100, 1, 99),
        ("", "model", "jina-embeddings-v3", "tokens", 9_000, tokens, 9_000 - tokens),
    ]
    assert [row.shadow for row in rows if row.scope is Scope.KEY] == [True, True]


async def test_a_budget_that_the_store_does_not_know_is_read_from_the_ledger() -> None:
    world = gateway()
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": ["one two three"]})
    _, facts = await world.ask("embeddings", body)
    await world.books.flush()
    world.quota.forget()
    rows = await Standing(FakeReadings(world.quota), world.budgets).of(world.pipeline.snapshot, "search")
    assert next(row.used for row in rows if row.kind == "usd") == facts.nanos > 0


async def test_our_own_keys_at_upstreams_are_limits_too() -> None:
    keys = {"key": "jina_" + "x" * 8, "keys": ("jina_" + "y" * 8,)}
    limits = KeyLimits(rpm=60)
    backends = {
        "jina": Backend(dialect="jina", url="http://upstream", limits=limits, **keys),
        "own": Backend(dialect="tei", url="http://own", limits=limits),
        "free": Backend(dialect="tei", url="http://free"),
    }
    world = Gateway(configured(backends=backends))
    snapshot = world.pipeline.snapshot
    outside = Outside(world.leases, world.pauses, world.clock, world.tasks, world.seen, snapshot.secret)
    pools = [Pool(name, settings, outside, lambda: None) for name, settings in backends.items()]
    found = list(allowances(snapshot))
    assert [name for name, _ in found] == ["jina (1)", "jina (2)", "own"]
    assert [meter.subject for _, meter in found] == [key.meter.subject for pool in pools[:2] for key in pool.keys]
    await world.leases.take([(world.leases.of(pools[0].keys[1].meter), 1, 0, 0)])
    standing = Standing(FakeReadings(world.quota), world.budgets, allowances)
    rows = [row for row in await standing.of(snapshot) if row.scope is Scope.UPSTREAM]
    assert [(row.name, row.kind, row.limit, row.used) for row in rows] == [
        ("jina (1)", "requests", 60, 0),
        ("jina (2)", "requests", 60, 1),
        ("own", "requests", 60, 0),
    ]
    assert all(row.scope is not Scope.UPSTREAM for row in await standing.of(snapshot, "search"))


async def test_all_tenants_are_listed_and_nobody_else() -> None:
    world = gateway()
    standing = Standing(FakeReadings(world.quota), world.budgets)
    rows = await standing.of(world.pipeline.snapshot)
    assert list(dict.fromkeys(row.tenant for row in rows)) == ["blog", "search", ""]
    assert {row.tenant for row in await standing.of(world.pipeline.snapshot, "nobody")} == {""}


async def test_a_store_that_is_away_is_said() -> None:
    world = gateway()
    world.quota.down = True
    with pytest.raises(StoreError):
        await Standing(FakeReadings(world.quota), world.budgets).of(world.pipeline.snapshot)


def bound(limit: int, used: int, kind: Any = "tokens") -> Bound:
    return Bound("t", Scope.TENANT, "", kind, limit, used, shadow=False)


def test_the_fullest_come_first_and_a_limit_of_nothing_is_full() -> None:
    rows = [bound(10, 1), bound(10, 30), bound(0, 0), bound(10, 9)]
    assert nearest(rows, 3) == [bound(10, 30), bound(0, 0), bound(10, 9)]
    assert bound(10, 30).left == 0


def test_dollars_are_written_as_such() -> None:
    told = bound(2_500_000_000, 500_000_000, "usd").figures()
    assert (told["limit"], told["used"], told["left"], told["share"]) == ("2.5", "0.5", "2", 0.2)
    assert bound(10, 3).figures()["used"] == 3
