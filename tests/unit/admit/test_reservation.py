from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fakes.clock import settled

from gateway.errors import Code, GatewayError
from gateway.ports import Usage
from gateway.vocabulary import Charge, Facts, Limits, Remaining

if TYPE_CHECKING:
    from fakes.parking import Gatehouse

    from gateway.vocabulary import Caller

POINTS = ["door before", "door after", "cover before", "cover after", "body", "settle before", "settle after"]
HELD = {"body": Usage(1, 0, 0), "settle before": Usage(1, 30, 0), "settle after": Usage(1, 30, 0)}
NOTHING = Usage(0, 0, 0)


async def fail(house: Gatehouse, code: Code, tokens: int = 50) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await house.request(tokens)
    assert caught.value.code is code
    return caught.value


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("settlement_first", [True, False])
async def test_cancelled_anywhere_it_settles_once_and_leaks_no_slot(
    house: Gatehouse, point: str, *, settlement_first: bool
) -> None:
    house.store.hold_at = point
    request = asyncio.ensure_future(house.request())
    await house.store.reached.wait()
    request.cancel()
    if settlement_first:
        await settled()
    house.store.release.set()
    with pytest.raises(asyncio.CancelledError):
        await request
    await house.tasks.drain(5.0)
    assert house.quota.usage("t") == HELD.get(point, NOTHING)
    assert len(house.quota.settlements) == 1
    assert house.admission._live == {}


async def test_cancelled_before_it_began_it_owes_nothing(house: Gatehouse) -> None:
    request = asyncio.ensure_future(house.request())
    request.cancel()
    with suppress(asyncio.CancelledError):
        await request
    assert house.quota.settlements == []


async def test_success_settles_to_what_was_used_before_the_answer_goes_out(house: Gatehouse) -> None:
    await house.request(tokens=50, used=30)
    assert house.quota.usage("t") == Usage(1, 30, 0)
    assert house.facts.remaining == Remaining(9, 70)
    assert (house.facts.reported_tokens, house.facts.upstream_tokens) == (30, 30)


async def test_the_answer_waits_for_the_slot_to_be_free(house: Gatehouse) -> None:
    house.store.hold_at = "settle before"
    request = asyncio.ensure_future(house.request())
    await house.store.reached.wait()
    await settled()
    assert not request.done()
    house.store.release.set()
    await request


async def test_facts_follow_every_step(house: Gatehouse) -> None:
    async with house.admission.reserve(house.caller, house.facts) as reservation:
        assert house.facts.remaining == Remaining(9, 100)
        await reservation.cover(0)
        assert house.facts.remaining == Remaining(9, 100)
        await reservation.cover(60)
        assert house.facts.remaining == Remaining(9, 40)
        reservation.record(Charge(5, 5), 5)
    assert house.facts.remaining == Remaining(9, 95)


@pytest.mark.parametrize(("recorded", "tokens"), [(False, 0), (True, 20)])
async def test_a_failed_request_counts_and_pays_what_is_known_to_be_used(
    house: Gatehouse, *, recorded: bool, tokens: int
) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the request
        async with house.admission.reserve(house.caller, house.facts) as reservation:
            await reservation.cover(50)
            if recorded:
                reservation.record(Charge(20, 20), 20)
            raise RuntimeError
    assert house.quota.usage("t") == Usage(1, tokens, 0)


async def test_refused_tokens_give_the_request_and_the_slot_back(house: Gatehouse) -> None:
    error = await fail(house, Code.RATE_TOKEN_LIMIT_EXCEEDED, tokens=101)
    assert error.retry_after == 60.0
    assert error.remaining == Remaining(9, 100)
    assert house.quota.usage("t") == NOTHING
    assert house.facts.remaining == Remaining(10, 100)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(0, None, None), Code.RATE_REQUEST_LIMIT_EXCEEDED),
        (Limits(None, None, 0), Code.RATE_CONCURRENCY_LIMIT_EXCEEDED),
    ],
)
async def test_refused_at_the_door_nothing_was_taken_so_nothing_is_settled(
    house: Gatehouse, limits: Limits, code: Code
) -> None:
    house.caller = _limited(house.caller, limits)
    await fail(house, code)
    assert house.quota.settlements == []
    assert house.quota.usage("t") == NOTHING
    assert house.admission._live == {}


@pytest.mark.parametrize("step", ["door", "cover"])
async def test_a_store_that_does_not_answer_is_a_503_and_is_settled_to_nothing(house: Gatehouse, step: str) -> None:
    house.store.failures[step] = 1
    await fail(house, Code.SERVICE_UNAVAILABLE)
    await house.tasks.drain(5.0)
    assert [(requests, tokens) for _, requests, tokens in house.quota.settlements] == [(0, 0)]
    assert house.quota.usage("t") == NOTHING
    assert house.observer.store_failures == ["quota"]


async def test_a_503_does_not_wait_for_the_store_again(house: Gatehouse) -> None:
    house.store.failures["door"] = 1
    house.store.hold_at = "settle before"
    await fail(house, Code.SERVICE_UNAVAILABLE)


@pytest.mark.parametrize(("failures", "usage"), [(1, Usage(1, 30, 0)), (2, Usage(1, 50, 1))])
async def test_a_settlement_that_fails_is_tried_again_and_never_fails_the_answer(
    house: Gatehouse, failures: int, usage: Usage
) -> None:
    house.store.failures["settle"] = failures
    await house.request()
    assert house.quota.usage("t") == usage
    assert house.observer.store_failures == ["quota"] * failures


async def test_what_remains_for_those_who_were_never_admitted(house: Gatehouse) -> None:
    await house.request()
    assert await house.admission.remaining(house.caller) == Remaining(9, 70)
    house.quota.down = True
    assert await house.admission.remaining(house.caller) is None
    assert house.observer.store_failures == ["quota"]


async def test_addresses_that_fail_too_often_are_refused(house: Gatehouse) -> None:
    for _ in range(2):
        await house.admission.failed_authentication("192.0.2.1", 2)
    with pytest.raises(GatewayError) as caught:
        await house.admission.failed_authentication("192.0.2.1", 2)
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_IP_LIMIT_EXCEEDED, 60.0)
    await house.admission.failed_authentication("192.0.2.1", None)
    house.quota.down = True
    await house.admission.failed_authentication("192.0.2.1", 2)


async def test_the_heartbeat_survives_a_store_that_is_down(house: Gatehouse) -> None:
    heartbeat = asyncio.ensure_future(house.admission.heartbeat(5))
    async with house.admission.reserve(house.caller, house.facts) as reservation:
        house.store.failures["renew"] = 1
        await house.clock.advance(11)
        assert house.store.renewed == [reservation.lease] * 2
    assert house.observer.store_failures == ["quota"]
    await house.clock.advance(11)
    assert house.store.renewed == [reservation.lease] * 2
    heartbeat.cancel()
    with suppress(asyncio.CancelledError):
        await heartbeat


async def test_leases_of_one_tenant_are_kept_apart(house: Gatehouse) -> None:
    async with house.admission.reserve(house.caller, house.facts):
        async with house.admission.reserve(house.caller, Facts("embeddings", "r2")):
            assert house.quota.usage("t").slots == 2
        assert house.quota.usage("t").slots == 1
    assert house.quota.usage("t").slots == 0


def _limited(caller: Caller, limits: Limits) -> Caller:
    return type(caller)(caller.tenant, caller.org, caller.tier, caller.key_id, limits)
