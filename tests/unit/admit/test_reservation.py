from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import settled
from fakes.parking import METER, Gatehouse

from gateway.errors import Code, GatewayError
from gateway.ports import Amounts
from gateway.vocabulary import Charge, Facts, Limits, Meter, Remaining, Scope

if TYPE_CHECKING:
    from collections.abc import Coroutine

POINTS = ["exchange before", "exchange after", "body"]
NOTHING = Amounts(0, 0, 0)


async def fail(house: Gatehouse, code: Code, tokens: int = 50) -> GatewayError:
    task = asyncio.ensure_future(house.request(tokens))
    await house.clock.advance(5.0)
    with pytest.raises(GatewayError) as caught:
        await task
    assert caught.value.code is code
    return caught.value


def used(house: Gatehouse, meter: Meter = METER) -> Amounts:
    return house.leases.of(meter).used


async def told(house: Gatehouse, subject: str = "t") -> Amounts:
    """What the store knows after all was told."""
    await house.leases.tick()
    await house.tasks.drain(5.0)
    return house.quota.usage(subject)


@pytest.mark.parametrize("point", POINTS)
async def test_cancelled_anywhere_nothing_is_leaked(house: Gatehouse, point: str) -> None:
    house.store.hold_at = point
    request = asyncio.ensure_future(house.request())
    await house.store.reached.wait()
    request.cancel()
    await settled()
    house.store.release.set()
    with pytest.raises(asyncio.CancelledError):
        await request
    house.store.hold_at = ""
    expected = Amounts(1, 0, 0) if point == "body" else NOTHING
    assert await told(house) == expected
    assert used(house) == expected


async def test_cancelled_before_it_began_it_owes_nothing(house: Gatehouse) -> None:
    request = asyncio.ensure_future(house.request())
    request.cancel()
    with suppress(asyncio.CancelledError):
        await request
    assert house.quota.statements == []


async def test_success_settles_to_what_was_used(house: Gatehouse) -> None:
    await house.request(tokens=50, used=30)
    assert used(house) == await told(house) == Amounts(1, 30, 0)
    assert house.facts.remaining == Remaining(9, 70)
    assert (house.facts.reported_tokens, house.facts.upstream_tokens) == (30, 30)


async def test_what_is_used_follows_every_step_and_what_is_left_is_told_in_the_end(house: Gatehouse) -> None:
    async with house.admission.reserve(house.meters, house.facts) as reservation:
        assert used(house) == Amounts(1, 0, 1)
        await reservation.cover(0)
        assert used(house) == Amounts(1, 0, 1)
        await reservation.cover(60)
        assert used(house) == Amounts(1, 60, 1)
        reservation.record(Charge(5, 5), 5)
    assert house.facts.remaining == Remaining(9, 95)


@pytest.mark.parametrize(("recorded", "tokens"), [(False, 0), (True, 20)])
async def test_a_failed_request_counts_and_pays_what_is_known_to_be_used(
    house: Gatehouse, *, recorded: bool, tokens: int
) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - the block is the request
        async with house.admission.reserve(house.meters, house.facts) as reservation:
            await reservation.cover(50)
            if recorded:
                reservation.record(Charge(20, 20), 20)
            raise RuntimeError
    assert await told(house) == Amounts(1, tokens, 0)


async def test_more_than_reserved_is_charged(house: Gatehouse) -> None:
    await house.request(tokens=50, used=130)
    assert await told(house) == Amounts(1, 130, 0)
    await fail(house, Code.RATE_TOKEN_LIMIT_EXCEEDED, tokens=1)


async def test_tokens_that_nobody_reserved_are_charged_too(house: Gatehouse) -> None:
    await house.request(tokens=0, used=7)
    assert await told(house) == Amounts(1, 7, 0)


async def test_refused_tokens_give_the_request_and_the_slot_back(house: Gatehouse) -> None:
    error = await fail(house, Code.RATE_TOKEN_LIMIT_EXCEEDED, tokens=101)
    assert error.retry_after == 60.0
    assert error.remaining == Remaining(9, 100)
    assert house.facts.remaining == Remaining(10, 100)
    assert await told(house) == NOTHING


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(0, None, None), Code.RATE_REQUEST_LIMIT_EXCEEDED),
        (Limits(None, None, 0), Code.RATE_CONCURRENCY_LIMIT_EXCEEDED),
    ],
)
async def test_refused_at_the_door_nothing_was_taken(house: Gatehouse, limits: Limits, code: Code) -> None:
    house.meters = (replace(METER, limits=limits),)
    await fail(house, code)
    assert await told(house) == NOTHING


async def test_what_one_meter_refuses_is_taken_of_none() -> None:
    narrow = Meter("k", Scope.KEY, Limits(1, None, None))
    house = Gatehouse(METER, narrow)
    await house.request()
    error = await fail(house, Code.RATE_REQUEST_LIMIT_EXCEEDED)
    assert "1/1 requests" in error.message
    assert error.remaining == Remaining(9, 70)
    assert await told(house) == Amounts(1, 30, 0)
    assert await told(house, "k") == Amounts(1, 0, 0)


async def test_a_meter_in_shadow_counts_and_never_refuses() -> None:
    shadow = Meter("k", Scope.KEY, Limits(1, 10, None), shadow=True)
    house = Gatehouse(METER, shadow)
    for _ in range(2):
        request = asyncio.ensure_future(house.request(tokens=20, used=5))
        await house.clock.advance(5.0)
        await request
    assert house.observer.shadows == ["key", "key", "key"]
    assert (await told(house)).requests == 2


async def test_a_budget_is_reserved_and_charged_in_money() -> None:
    budget = Meter("b", Scope.BUDGET, Limits(None, 1_000, None), period=0, money=True)
    house = Gatehouse(METER, budget)
    async with house.admission.reserve(house.meters, house.facts) as reservation:
        await reservation.cover(50, 50, 900)
        assert used(house, budget) == Amounts(0, 900, 0)
        reservation.record(Charge(30, 30), 30, 30, 600)
    assert await told(house, "b") == Amounts(0, 600, 0)
    with pytest.raises(GatewayError) as caught:
        async with house.admission.reserve(house.meters, house.facts) as reservation:
            await reservation.cover(50, 50, 500)
    assert caught.value.code is Code.AUTHZ_INSUFFICIENT_BALANCE
    assert used(house) == Amounts(1, 30, 0)


async def test_what_remains_for_those_who_were_never_admitted(house: Gatehouse) -> None:
    await house.request()
    assert await house.admission.remaining(house.meters) == Remaining(9, 70)
    assert await house.admission.remaining(()) is None
    other = house.worker()
    await told(house)
    assert await other.admission.remaining(house.meters) == Remaining(9, 70)
    house.quota.down = True
    assert await house.worker().admission.remaining(house.meters) is None
    assert house.observer.store_failures == ["quota"]


async def test_addresses_that_fail_too_often_are_refused(house: Gatehouse) -> None:
    for _ in range(2):
        await house.admission.failed_authentication("192.0.2.1", 2)
    with pytest.raises(GatewayError) as caught:
        await house.admission.failed_authentication("192.0.2.1", 2)
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_IP_LIMIT_EXCEEDED, 61.0)
    await house.admission.failed_authentication("192.0.2.1", None)
    house.quota.down = True
    await house.admission.failed_authentication("192.0.2.1", 2)


async def test_leases_of_one_tenant_are_kept_apart(house: Gatehouse) -> None:
    async with house.admission.reserve(house.meters, house.facts):
        async with house.admission.reserve(house.meters, Facts("embeddings", "r2")):
            assert used(house).slots == 2
        assert used(house).slots == 1
    assert used(house).slots == 0


async def test_who_waits_for_the_same_exchange_is_served_by_it(house: Gatehouse) -> None:
    house.store.hold_at = "exchange before"
    requests: list[asyncio.Task[None]] = [_start(house.request(0)) for _ in range(2)]
    await house.store.reached.wait()
    await settled()
    house.store.hold_at = ""
    house.store.release.set()
    await asyncio.gather(*requests)
    assert len(house.quota.statements) <= 2
    assert (await told(house)).requests == 2


def _start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)
