"""Budgets and balances hold, and what the cache answers is not paid for."""

from __future__ import annotations

import orjson
import pytest
from fakes.gateway import SEARCH_KEY, Gateway, configured

from gateway.config.schema import Tenant
from gateway.config.spending import Balance, Budget
from gateway.errors import Code, GatewayError

MODEL = "jina-embeddings-v3"
PRICE = 50
"""Nano-dollars a token."""


def gateway(**settings: object) -> Gateway:
    tenant = {"tier": "small", "keys": (SEARCH_KEY,), **settings}
    return Gateway(configured(tenants={"search": Tenant.model_validate(tenant)}))


async def ask(world: Gateway, text: str) -> None:
    await world.ask("embeddings", orjson.dumps({"model": MODEL, "input": [text]}))


async def refused(world: Gateway, text: str) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await ask(world, text)
    return raised.value


@pytest.mark.parametrize(
    "settings",
    [
        {"balance": Balance(starting_tokens=12)},
        {"balance": Balance(starting_usd=f"0.{12 * PRICE:09d}")},
        {"budgets": (Budget(usd=f"0.{12 * PRICE:09d}", per="day"),)},
    ],
    ids=["tokens", "dollars", "budget"],
)
async def test_what_is_not_covered_is_refused_and_what_is_stored_is_not(settings: dict[str, object]) -> None:
    world = gateway(**settings)
    await ask(world, "12345 789")
    assert world.ledger.sums == {}
    error = await refused(world, "12345 78901")
    assert (error.code, error.retry_after) == (Code.AUTHZ_INSUFFICIENT_BALANCE, None)
    await ask(world, "12345 789")
    await ask(world, "1234567")
    assert world.used("search").tokens == 3
    assert len(world.upstream.calls) == 2


async def test_a_balance_goes_on_after_a_top_up() -> None:
    world = gateway(balance=Balance(starting_tokens=3))
    assert (await refused(world, "12345")).code is Code.AUTHZ_INSUFFICIENT_BALANCE
    await world.ledger.top_up("search", "tokens", 100)
    world.clock.now += 1
    await ask(world, "12345")


async def test_what_the_ledger_has_was_spent() -> None:
    world = gateway(balance=Balance(starting_tokens=20))
    await ask(world, "1 3 5 7 9")
    await world.books.flush()
    world.quota.forget()
    fresh = Gateway(world.config)
    fresh.ledger = world.ledger
    fresh.budgets._ledger = world.ledger
    assert (await refused(fresh, "12345 78901234")).code is Code.AUTHZ_INSUFFICIENT_BALANCE
    await ask(fresh, "12345 789012")


async def test_a_soft_budget_only_tells() -> None:
    world = gateway(budgets=(Budget(usd="0.000000001", per="day", hard=False),))
    await ask(world, "12345")
    assert world.seen.shadows == ["budget"]


async def test_models_without_a_price_cost_no_money() -> None:
    world = gateway(budgets=(Budget(usd="0.000000001", per="day"),))
    await world.ask("embeddings", orjson.dumps({"model": "jina-embeddings-v4", "input": ["free"]}))
