from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.ports import Admission, Usage
from gateway.vocabulary import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.world import World

LIMITS = Limits(requests=3, tokens=100, concurrency=2)
NONE = Limits(None, None, None)
BUCKET = 1.0


def door(lease: str, limits: Limits = LIMITS, subject: str = "t") -> Admission:
    return Admission(subject, lease, "door", limits, requests=1, slot=True)


def cover(lease: str, tokens: int, limits: Limits = LIMITS) -> Admission:
    return Admission("t", lease, "cover", limits, tokens=tokens)


def peek(limits: Limits = LIMITS, subject: str = "t") -> Admission:
    return Admission(subject, "", "peek", limits)


async def usage(world: World) -> Usage:
    verdict = await world.quota.admit(peek())
    assert verdict.refused_by is None
    return verdict.usage


async def test_a_door_takes_one_request_and_one_slot(world: World) -> None:
    verdict = await world.quota.admit(door("a"))
    assert (verdict.refused_by, verdict.usage) == (None, Usage(1, 0, 1))
    assert await usage(world) == Usage(1, 0, 1)


async def test_zero_amounts_only_report_and_leave_no_lease(world: World) -> None:
    for _ in range(10):
        assert await usage(world) == Usage(0, 0, 0)
    await world.quota.admit(door("a"))
    assert (await world.quota.admit(replace(door("a"), requests=0, slot=False))).usage == Usage(1, 0, 1)


async def test_an_admitted_step_replays_its_first_reply(world: World) -> None:
    first = await world.quota.admit(door("a"))
    await world.quota.admit(door("b"))
    assert await world.quota.admit(door("a")) == first
    assert await usage(world) == Usage(2, 0, 2)
    await world.quota.admit(cover("a", 40))
    assert (await world.quota.admit(cover("a", 40))).usage.tokens == 40
    assert await usage(world) == Usage(2, 40, 2)


async def fill_requests(world: World) -> None:
    for lease in "abc":
        await world.quota.admit(door(lease))
        await world.quota.settle("t", lease, 1, 0)


async def fill_slots(world: World) -> None:
    for lease in "ab":
        await world.quota.admit(door(lease))


async def fill_both(world: World) -> None:
    limits = replace(LIMITS, concurrency=3)
    for lease in "abc":
        await world.quota.admit(door(lease, limits))


async def fill_tokens(world: World) -> None:
    await world.quota.admit(door("a"))
    await world.quota.admit(cover("a", 90))
    await world.quota.settle("t", "a", 1, 90)


@pytest.mark.parametrize(
    ("fill", "question", "reason", "wait"),
    [
        (fill_requests, door("x"), "requests", 60.0),
        (fill_slots, door("x"), "concurrency", 1.0),
        (fill_both, door("x"), "requests", 60.0),
        (fill_tokens, cover("x", 11), "tokens", 60.0),
        (fill_tokens, cover("x", 101), "tokens", 60.0),
        (fill_tokens, replace(door("x"), tokens=11), "tokens", 60.0),
        (fill_slots, replace(door("x"), tokens=101), "concurrency", 1.0),
    ],
)
async def test_a_refusal_names_the_first_limit_and_consumes_nothing(
    world: World, fill: Callable[[World], Awaitable[None]], question: Admission, reason: str, wait: float
) -> None:
    await fill(world)
    before = await usage(world)
    verdict = await world.quota.admit(question)
    assert (verdict.refused_by, verdict.usage) == (reason, before)
    assert verdict.retry_after == pytest.approx(wait, abs=BUCKET)
    assert await usage(world) == before


async def test_after_retry_after_the_same_question_passes(world: World) -> None:
    for lease, gap in (("a", 10.3), ("b", 5.4), ("c", 2.0)):
        await world.quota.admit(door(lease))
        await world.quota.settle("t", lease, 1, 0)
        world.advance(gap)
    verdict = await world.quota.admit(door("x"))
    assert verdict.refused_by == "requests"
    world.advance(verdict.retry_after - BUCKET - 0.001)
    assert (await world.quota.admit(door("x"))).refused_by == "requests"
    world.advance(BUCKET + 0.001)
    assert (await world.quota.admit(door("x"))).refused_by is None


async def test_tokens_wait_for_as_much_as_they_need(world: World) -> None:
    for lease, amount in (("a", 50), ("b", 40)):
        await world.quota.admit(cover(lease, amount))
        world.advance(20)
    small, large = await world.quota.admit(cover("x", 60)), await world.quota.admit(cover("x", 61))
    assert small.retry_after == pytest.approx(20, abs=BUCKET)
    assert large.retry_after == pytest.approx(40, abs=BUCKET)


async def test_no_limit_still_counts(world: World) -> None:
    for lease in range(5):
        await world.quota.admit(replace(door(str(lease), NONE), tokens=1_000_000))
    assert await usage(world) == Usage(5, 5_000_000, 5)


async def test_settling_gives_the_slot_back_and_corrects_to_what_was_used(world: World) -> None:
    await world.quota.admit(door("a"))
    await world.quota.admit(cover("a", 80))
    assert await world.quota.settle("t", "a", 1, 30) == Usage(1, 30, 0)
    await world.quota.admit(door("b"))
    await world.quota.admit(cover("b", 10))
    assert await world.quota.settle("t", "b", 0, 0) == Usage(1, 30, 0)


async def test_more_than_reserved_is_charged_even_beyond_the_limit(world: World) -> None:
    await world.quota.admit(cover("a", 80))
    assert await world.quota.settle("t", "a", 0, 130) == Usage(0, 130, 0)
    assert (await world.quota.admit(cover("b", 1))).refused_by == "tokens"


async def test_settling_is_idempotent_and_final(world: World) -> None:
    await world.quota.admit(door("a"))
    await world.quota.settle("t", "a", 1, 10)
    assert await world.quota.settle("t", "a", 1, 10) == Usage(1, 10, 0)
    late = await world.quota.admit(replace(door("a"), step="late"))
    assert (late.refused_by, late.usage) == ("settled", Usage(1, 10, 0))
    assert (await world.quota.admit(door("a"))).refused_by == "settled"
    assert await usage(world) == Usage(1, 10, 0)


async def test_a_question_that_comes_after_its_settlement_takes_nothing_for_a_minute(world: World) -> None:
    assert await world.quota.settle("t", "a", 0, 0) == Usage(0, 0, 0)
    for _ in range(4):
        assert (await world.quota.admit(door("a"))).refused_by == "settled"
        world.advance(15)
    assert await usage(world) == Usage(0, 0, 0)


async def test_corrections_age_with_their_reservation(world: World) -> None:
    await world.quota.admit(cover("a", 50))
    world.advance(40)
    await world.quota.settle("t", "a", 0, 90)
    assert (await usage(world)).tokens == 90
    world.advance(21)
    assert (await usage(world)).tokens == 0


async def test_what_has_aged_out_is_not_given_back_but_more_is_charged_now(world: World) -> None:
    await world.quota.admit(cover("a", 50))
    await world.quota.admit(cover("b", 50))
    # 61 buckets on, the ring's same place counts for somebody else.
    world.advance(61)
    await world.quota.admit(cover("c", 20))
    assert (await world.quota.settle("t", "a", 0, 10)).tokens == 20
    assert (await world.quota.settle("t", "b", 0, 60)).tokens == 30


async def test_a_lease_nobody_renews_runs_out(world: World) -> None:
    await fill_slots(world)
    world.advance(10)
    await world.quota.renew("t", ["b", "unknown"])
    world.advance(5.001)
    await world.quota.renew("t", ["a", "b"])
    assert (await usage(world)).slots == 1
    assert (await world.quota.admit(door("c"))).refused_by is None
    assert (await world.quota.settle("t", "a", 1, 0)).slots == 2


async def test_a_long_request_keeps_its_slot_by_heartbeat_and_settles_exactly(world: World) -> None:
    await world.quota.admit(door("a"))
    for _ in range(400):
        world.advance(5)
        await world.quota.renew("t", ["a"])
    assert await usage(world) == Usage(0, 0, 1)
    assert await world.quota.settle("t", "a", 1, 7) == Usage(0, 7, 0)


async def test_renewing_many_or_none(world: World) -> None:
    leases = [str(number) for number in range(600)]
    for lease in leases:
        await world.quota.admit(door(lease, NONE))
    world.advance(10)
    await world.quota.renew("t", leases)
    await world.quota.renew("t", [])
    world.advance(10)
    assert (await usage(world)).slots == 600


async def test_subjects_do_not_share(world: World) -> None:
    await world.quota.admit(door("a"))
    assert (await world.quota.admit(peek(subject="u"))).usage == Usage(0, 0, 0)


async def test_two_gateways_on_one_store_share_limits(world: World) -> None:
    assert (await world.quota.admit(door("a"))).refused_by is None
    assert (await world.second.admit(door("b"))).refused_by is None
    assert (await world.quota.admit(door("c"))).refused_by == "concurrency"
    assert (await world.second.settle("t", "a", 1, 0)).slots == 1


async def test_a_counter_refuses_beyond_its_limit_and_recovers(world: World) -> None:
    for _ in range(3):
        assert await world.quota.hit("192.0.2.1", 3) is None
        world.advance(1)
    wait = await world.quota.hit("192.0.2.1", 3)
    assert wait is not None
    assert wait == pytest.approx(57, abs=BUCKET)
    assert await world.quota.hit("192.0.2.2", 3) is None
    world.advance(wait)
    assert await world.quota.hit("192.0.2.1", 3) is None
    assert await world.quota.hit("192.0.2.1", 3) is not None


async def test_ping(world: World) -> None:
    await world.quota.ping()
