from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.ledger import FakeLedger

from gateway.admit.budgets import Budgets
from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config, Tenant, Tier
from gateway.config.spending import Balance, Budget
from gateway.errors import StoreError

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
from gateway.vocabulary import SECONDS_PER_HOUR, Account, Batch, Caller, Limits, Scope, Tally

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2


def world() -> tuple[Budgets, FakeLedger, FakeClock]:
    clock = FakeClock(NOON)
    ledger = FakeLedger(clock.epoch)
    return Budgets(ledger, clock), ledger, clock


def config(*budgets: Budget, balance: Balance | None = None) -> Snapshot:
    tenants = {"t": Tenant(budgets=budgets, balance=balance), "free": Tenant()}
    chosen = Config(tenants=tenants, tiers={"rich": Tier(balance=Balance(starting_tokens=7))})
    return compile_snapshot(chosen, secret=b"s" * 32, digest=digest)


def caller(tenant: str, tier: str = "free") -> Caller:
    return Caller(tenant, "o", tier, "k", Limits(None, None, None))


async def spend(ledger: FakeLedger, at: int, nanos: int, tokens: int) -> None:
    account = Account(at // SECONDS_PER_HOUR, "t", "k", "m", "embeddings")
    tallies = {account: Tally(1, tokens, tokens, nanos)}
    await ledger.add(Batch("w", len(ledger.calls) + 1, tallies), 0)


async def test_budgets_are_meters_of_their_period() -> None:
    budgets, _, _ = world()
    [day, soft] = await budgets.meters(
        config(Budget(usd="5", per="day"), Budget(usd="1", per="fixed", soft=(Decimal("0.5"),), hard=False)),
        caller("t"),
    )
    assert (day.subject, day.scope, day.limits) == ("b:t:day", Scope.BUDGET, Limits(None, 5 * 10**9, None))
    assert (day.period, day.ages, day.money, day.shadow) == (20_000 * DAY, False, True, False)
    assert (soft.period, soft.shadow) == (0, True)


@pytest.mark.parametrize("tenant", ["free", "of another day"])
async def test_who_has_no_budget_has_no_meter(tenant: str) -> None:
    budgets, ledger, _ = world()
    ledger.away = True
    assert await budgets.meters(config(Budget(usd="5")), caller(tenant)) == ()


async def test_a_top_up_counts_a_second_later_and_a_store_that_is_away_changes_nothing() -> None:
    budgets, ledger, clock = world()
    chosen = config(balance=Balance(starting_tokens=10))

    async def limit() -> int | None:
        [meter] = await budgets.meters(chosen, caller("t"))
        assert not meter.money
        return meter.limits.tokens

    assert await limit() == 10
    await ledger.top_up("t", "tokens", 5)
    assert await limit() == 10
    clock.now += 1
    assert await limit() == 15
    ledger.away = True
    clock.now += 1
    assert await limit() == 15


async def test_what_was_used_before_is_the_ledgers_in_the_meters_unit() -> None:
    budgets, ledger, clock = world()
    await spend(ledger, NOON - DAY, 1_000, 10)
    await spend(ledger, NOON, 200, 3)
    chosen = config(Budget(usd="5", per="day"), balance=Balance(starting_tokens=100))
    balance, day = await budgets.meters(chosen, caller("t"))
    assert (await budgets.used(balance), await budgets.used(day)) == (13, 200)
    [money] = await budgets.meters(config(balance=Balance(starting_usd="1")), caller("t"))
    assert await budgets.used(money) == 1_200
    clock.now += DAY
    [day] = await budgets.meters(config(Budget(usd="5", per="day")), caller("t"))
    assert await budgets.used(day) == 0
    ledger.away = True
    with pytest.raises(StoreError):
        await budgets.used(day)


async def test_a_tenant_without_its_own_has_what_its_tier_gives() -> None:
    budgets, _, _ = world()
    [given] = await budgets.meters(config(), caller("made at run time", "rich"))
    assert (given.subject, given.limits.tokens) == ("b:made at run time:balance", 7)
    [own] = await budgets.meters(config(balance=Balance(starting_tokens=5)), caller("t", "rich"))
    assert own.limits.tokens == 5
