"""Scope `shared`: answers become other orgs' once three have paid, and nobody can tell from what they are told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from fakes.gateway import Gateway, configured

from gateway.config.schema import Cache, Tenant
from gateway.vocabulary import CacheScope, Cause, Directives, Facts, Reply

ORGS = [f"org{number}" for number in range(6)]
BODY = orjson.dumps({"model": "jina-embeddings-v3", "input": ["a common text", "another"]})
UNNORMALISED = orjson.dumps({"model": "jina-embeddings-v3", "input": ["a common text", "another"], "normalized": False})


def key(org: str, person: int = 0) -> str:
    return f"key-of-{org}-{person}"


def gateway(scope: CacheScope = CacheScope.SHARED, **cache: int) -> Gateway:
    tenants = {
        f"{org}-{person}": Tenant(tier="small", org=org, keys=(key(org, person),)) for org in ORGS for person in (0, 1)
    }
    return Gateway(configured(tenants=tenants, cache=Cache(scope=scope, **cache)))


async def ask(world: Gateway, org: str, body: bytes = BODY, person: int = 0, **directives: Any) -> tuple[Reply, Facts]:
    return await world.ask("embeddings", body, key(org, person), directives=Directives(**directives))


async def test_the_fourth_org_is_answered_without_a_call_and_cannot_tell() -> None:
    world = gateway()
    third = [await ask(world, org) for org in ORGS[:3]][-1]
    assert len(world.upstream.calls) == 3
    reply, facts = await ask(world, ORGS[3])
    assert len(world.upstream.calls) == 3
    assert reply == third[0]
    assert facts.remaining == third[1].remaining
    assert (facts.hits, facts.misses, facts.upstream_tokens) == (0, 2, 0)
    assert [saving.cause for saving in facts.savings] == [Cause.PROMOTED]
    seen = [(facts.paid_tokens, facts.nanos, facts.saved_tokens, facts.saved_nanos) for facts in (third[1], facts)]
    assert seen[0] == seen[1], "the ledger tells no difference"


async def test_what_was_promoted_is_the_orgs_own_from_then_on() -> None:
    world = gateway()
    for org in ORGS[:4]:
        await ask(world, org)
    reply, facts = await ask(world, ORGS[3], person=1)
    assert (reply.hits, reply.misses) == (2, 0)
    assert [saving.cause for saving in facts.savings] == [Cause.STORED]


@pytest.mark.parametrize("scope", [CacheScope.ORG, CacheScope.TENANT, CacheScope.OFF])
async def test_other_scopes_never_share_between_orgs(scope: CacheScope) -> None:
    world = gateway(scope)
    for org in ORGS:
        await ask(world, org)
    assert len(world.upstream.calls) == len(ORGS)
    assert not world.votes.voters


async def test_one_org_counts_once_however_often_it_pays() -> None:
    world = gateway()
    for org in (ORGS[0], ORGS[0], ORGS[0], ORGS[1], ORGS[1]):
        await ask(world, org, no_cache=True)
    await ask(world, ORGS[2])
    assert len(world.upstream.calls) == 6
    await ask(world, ORGS[3])
    assert len(world.upstream.calls) == 6


async def test_what_may_not_be_stored_is_not_counted() -> None:
    world = gateway()
    for org in ORGS[:5]:
        await ask(world, org, no_store=True)
    await ask(world, ORGS[5])
    assert len(world.upstream.calls) == 6


async def test_only_if_cached_knows_nothing_of_other_orgs() -> None:
    world = gateway()
    for org in ORGS[:3]:
        await ask(world, org)
    with pytest.raises(Exception, match="Not cached"):
        await ask(world, ORGS[3], only_if_cached=True)


async def test_max_age_cannot_tell_either() -> None:
    world = gateway()
    for org in ORGS[:3]:
        await ask(world, org)
    world.clock.now += 100
    await ask(world, ORGS[3])
    reply, _ = await world.ask("embeddings", BODY, key(ORGS[3]), directives=Directives(max_age=10))
    assert (reply.hits, len(world.upstream.calls)) == (2, 3)


async def test_a_partly_shared_list_asks_for_the_rest_only() -> None:
    world = gateway()
    for org in ORGS[:3]:
        await ask(world, org)
    body = orjson.dumps({"model": "jina-embeddings-v3", "input": ["mine alone", "another", "mine alone"]})
    reply, facts = await ask(world, ORGS[4], body)
    assert world.upstream.calls[-1]["input"] == ["mine alone"]
    assert (reply.hits, reply.misses, reply.duplicates, reply.stored) == (0, 2, 1, True)
    assert sorted(saving.cause for saving in facts.savings) == [Cause.DUPLICATE, Cause.PROMOTED]


async def test_the_number_of_orgs_is_configured() -> None:
    world = gateway(promote_after=2)
    for org in ORGS[:3]:
        await ask(world, org)
    assert len(world.upstream.calls) == 2


async def test_a_failing_vote_fails_no_request() -> None:
    world = gateway()
    world.votes.down = True
    for org in ORGS:
        await ask(world, org)
    assert (len(world.upstream.calls), world.seen.store_failures) == (len(ORGS), ["cache"] * len(ORGS))


async def test_derived_answers_are_a_cause_of_their_own() -> None:
    world = gateway(CacheScope.ORG)
    await ask(world, ORGS[0], UNNORMALISED)
    _, facts = await ask(world, ORGS[0])
    assert [(saving.cause, saving.units) for saving in facts.savings] == [(Cause.DERIVED, 2)]
    assert len(world.upstream.calls) == 1
