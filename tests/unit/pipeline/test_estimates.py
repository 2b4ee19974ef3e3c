from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.clock import settled
from fakes.gateway import Gateway, configured
from fakes.jina_upstream import Fault

from gateway.admit.estimate import ENOUGH, YARDSTICK, Estimator
from gateway.config.schema import Cache, LimitSettings, Tenant, Tier
from gateway.errors import Code, GatewayError
from gateway.tokens.counter import Counter
from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from gateway.vocabulary import Facts

LARGE = {"tiers": {"small": Tier(rpm=1_000, tpm=1_000_000)}}


async def embedded(gateway: Gateway, *texts: str, **fields: Any) -> Facts:
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": list(texts), **fields})
    _, facts = await gateway.ask("embeddings", body)
    return facts


async def test_what_was_reserved_is_told_beside_what_was_counted() -> None:
    gateway = Gateway()
    facts = await embedded(gateway, "one two three", "one")
    assert (facts.estimated_tokens, facts.upstream_tokens) == (13 + 2 + 3 + 2, 4)
    facts = await embedded(gateway, "one two three", "four five", "four five")
    assert (facts.estimated_tokens, facts.upstream_tokens) == (11, 2)
    facts = await embedded(gateway, "one two three")
    assert (facts.estimated_tokens, facts.upstream_tokens) == (0, 0)


async def test_what_another_request_pays_for_is_not_compared() -> None:
    gateway = Gateway()
    gate = asyncio.Event()
    gateway.upstream.faults.append(Fault(gate=gate))
    first = asyncio.create_task(embedded(gateway, "one two"))
    await settled()
    second = asyncio.create_task(embedded(gateway, "one two", "three"))
    await settled()
    gate.set()
    assert (await first).estimated_tokens == 9
    facts = await second
    assert (facts.estimated_tokens, facts.upstream_tokens) == (7, 1)


async def test_reservations_shrink_to_what_the_upstream_really_counts() -> None:
    words = Counter(lambda texts: [len(text.split()) for text in texts], slice_bytes=10_000)
    gateway = Gateway(configured(**LARGE), estimator=Estimator({YARDSTICK: words}))
    prose = "word " * 40
    reserved = [(await embedded(gateway, f"{prose} {at:03}")).estimated_tokens for at in range(ENOUGH + 1)]
    assert reserved == [len(f"{prose} 000") + 2] * ENOUGH + [52]


@pytest.mark.parametrize(("counted", "reserved"), [(False, 7), (True, 7 + 1 + 1 + 7)])
async def test_copies_and_stored_answers_are_reserved_where_they_count(*, counted: bool, reserved: int) -> None:
    gateway = Gateway(configured(limits=LimitSettings(count_cached_tokens=counted)))
    await embedded(gateway, "a")
    gate = asyncio.Event()
    gateway.upstream.faults.append(Fault(gate=gate))
    before = gateway.used("search").tokens
    running = asyncio.create_task(embedded(gateway, "a", "a", "three", "three"))
    await settled()
    assert gateway.used("search").tokens - before == reserved
    gate.set()
    await running


@pytest.mark.parametrize("counted", [False, True])
async def test_what_other_orgs_paid_for_is_reserved_like_what_is_missing(*, counted: bool) -> None:
    orgs = {f"org{number}": "small" for number in range(3)} | {"poor": "poor"}
    gateway = Gateway(
        configured(
            tiers={"small": Tier(tpm=1_000), "poor": Tier(tpm=13)},
            tenants={org: Tenant(tier=tier, org=org, keys=(f"key-of-{org}",)) for org, tier in orgs.items()},
            cache=Cache(scope=CacheScope.SHARED),
            limits=LimitSettings(count_cached_tokens=counted),
        )
    )
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": "a common one"})
    for org in list(orgs)[:3]:
        await gateway.ask("embeddings", body, f"key-of-{org}")
    with pytest.raises(GatewayError) as refused:
        await gateway.ask("embeddings", body, "key-of-poor")
    assert refused.value.code is Code.RATE_TOKEN_LIMIT_EXCEEDED
    assert len(gateway.upstream.calls) == 3
