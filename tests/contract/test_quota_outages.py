"""What the quota store makes of holders that could not speak: they are neither dead, nor counted twice, nor leaked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gateway.ports import Amounts, Outcome, Spend, Statement
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from fakes.world import World

METER = Meter("t", Scope.TENANT, Limits(requests=10, tokens=100, concurrency=4))
LEASE = 15.0


def asking(holder: str, number: int, amounts: Amounts = Amounts()) -> Statement:  # noqa: B008 - a constant
    return Statement(METER, holder, number, least=amounts, needed=amounts, wanted=amounts)


async def test_after_the_stores_own_absence_nobody_is_dead_yet(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(0, 0, 3)))
    world.advance(LEASE + 1)
    first = await world.quota.exchange(asking("b", 1, Amounts(0, 0, 2)), patient=True)
    assert (first.granted, first.short_of) == (Amounts(), "concurrency")
    assert (await world.quota.exchange(asking("b", 2, Amounts(0, 0, 2)))).granted == Amounts(0, 0, 2)


async def test_a_statement_said_again_after_its_holder_ran_out_is_still_the_same(world: World) -> None:
    """But the time is the present one: who sets its clock by it would charge to seconds that age out too early."""
    said = asking("a", 1, Amounts(3, 30, 2))
    first = await world.quota.exchange(said)
    world.advance(LEASE)
    await world.quota.exchange(asking("b", 1))
    again = await world.quota.exchange(said)
    assert again == replace(first, now=again.now)
    assert again.now == pytest.approx(first.now + LEASE, abs=0.001)
    assert (await world.quota.exchange(asking("b", 2))).used == Amounts(3, 30, 2)
    await world.quota.exchange(replace(asking("a", 2), released=Amounts(3, 30, 2)))
    assert (await world.quota.exchange(asking("b", 3))).used == Amounts()


async def test_who_says_something_again_frees_the_slots_of_the_dead_for_good(world: World) -> None:
    said = asking("a", 1, Amounts(0, 0, 1))
    await world.quota.exchange(asking("dead", 1, Amounts(0, 0, 3)))
    world.advance(1)
    await world.quota.exchange(said)
    world.advance(LEASE - 1)
    await world.quota.exchange(said)
    assert (await world.quota.exchange(asking("b", 1, Amounts(0, 0, 3)))).granted == Amounts(0, 0, 3)


async def test_a_store_that_knows_less_than_it_did_is_told_again(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(2, 0, 1)))
    lost = await world.quota.exchange(asking("a", 3, Amounts(1, 0, 0)))  # the second was granted, and forgotten
    assert (lost.outcome, lost.granted, lost.known) == (Outcome.LOST, Amounts(), 1)
    spent = (Spend(int(world.clock.now), 1, 0),)
    told = await world.quota.exchange(replace(asking("a", 4), restored=Amounts(5, 0, 2), spent=spent))
    assert (told.outcome, told.used) == (Outcome.TOLD, Amounts(6, 0, 2))


async def test_a_store_that_was_restarted_waits_for_whoever_it_may_have_forgotten(world: World) -> None:
    """Whom it still knows is no proof: what it lacks may be another's last second."""
    await world.quota.exchange(asking("a", 1, Amounts(1, 0, 0)))
    await world.restarted()
    told = await world.quota.exchange(asking("a", 2, Amounts(1, 0, 0)))
    assert (told.outcome, told.granted) == (Outcome.WAIT, Amounts())
    world.advance(2)
    assert (await world.quota.exchange(asking("a", 3, Amounts(1, 0, 0)))).granted == Amounts(1, 0, 0)


async def test_who_has_known_the_restarted_store_for_a_while_need_not_wait(world: World) -> None:
    if not world.knows_run:
        return
    await world.quota.exchange(asking("a", 1, Amounts(1, 0, 0)))
    await world.restarted()
    run = (await world.quota.register("w", 15.0)).run
    told = await world.quota.exchange(asking("a", 2, Amounts(1, 0, 0)), run)
    assert (told.outcome, told.granted) == (Outcome.TOLD, Amounts(1, 0, 0))


async def test_who_tells_again_waits_for_the_others_like_everybody(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(0, 0, 1)))
    await world.quota.exchange(asking("b", 1, Amounts(0, 0, 3)))
    await world.forget()
    assert (await world.quota.exchange(asking("a", 2))).outcome is Outcome.LOST
    again = replace(asking("a", 3, Amounts(0, 0, 2)), restored=Amounts(0, 0, 1))
    told = await world.quota.exchange(again)
    assert (told.outcome, told.granted) == (Outcome.WAIT, Amounts())


async def test_a_statement_that_comes_after_the_next_one_changes_nothing(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(0, 0, 3)))
    late = replace(asking("a", 2), released=Amounts(0, 0, 1))
    await world.quota.exchange(late)
    await world.quota.exchange(asking("a", 3))
    await world.quota.exchange(late)
    assert (await world.quota.exchange(asking("a", 4))).used == Amounts(0, 0, 2)


async def test_who_rejoins_says_what_is_held_now_and_everybody_waits_for_the_others(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(2, 0, 1)))
    again = replace(asking("a", 2, Amounts(1, 0, 0)), restored=Amounts(5, 0, 3), rejoins=True)
    told = await world.quota.exchange(again)
    assert (told.outcome, told.granted, told.used) == (Outcome.WAIT, Amounts(), Amounts(5, 0, 3))
    assert (await world.quota.exchange(asking("b", 1, Amounts(0, 0, 1)))).outcome is Outcome.WAIT
    world.advance(2)
    assert (await world.quota.exchange(asking("b", 2, Amounts(0, 0, 1)))).granted == Amounts(0, 0, 1)


async def test_who_rejoins_a_store_that_lost_something_is_told_so(world: World) -> None:
    await world.quota.exchange(asking("a", 1, Amounts(2, 0, 1)))
    lost = await world.quota.exchange(replace(asking("a", 4), restored=Amounts(5, 0, 3), rejoins=True))
    assert (lost.outcome, lost.known) == (Outcome.LOST, 1)
    await world.forget()
    lost = await world.quota.exchange(replace(asking("a", 4), restored=Amounts(5, 0, 3), rejoins=True))
    assert (lost.outcome, lost.known) == (Outcome.LOST, 0)


async def test_the_census_tells_the_time(world: World) -> None:
    assert (await world.quota.register("w", 15.0)).now == pytest.approx(world.clock.now, abs=0.001)


async def test_who_holds_idle_amounts_already_gets_no_more_than_it_needs(world: World) -> None:
    """Else what all hold idle together could hide more than half of a limit."""
    meter = replace(METER, limits=Limits(100, None, None))
    first = replace(asking("a", 1), meter=meter, holders=2)
    some = replace(first, least=Amounts(1), needed=Amounts(1), wanted=Amounts(26))
    assert (await world.quota.exchange(some)).granted == Amounts(25)
    more = replace(first, number=2, idle=Amounts(24), least=Amounts(25), needed=Amounts(25), wanted=Amounts(50))
    assert (await world.quota.exchange(more)).granted == Amounts(25)


async def test_while_amounts_are_called_back_nobody_gets_more_than_it_needs(world: World) -> None:
    meter = replace(METER, limits=Limits(100, None, None))
    holding = replace(asking("a", 1), meter=meter, least=Amounts(100), needed=Amounts(100), wanted=Amounts(100))
    await world.quota.exchange(holding)
    needing = replace(asking("b", 1), meter=meter, least=Amounts(1), needed=Amounts(1), wanted=Amounts(25))
    assert (await world.quota.exchange(needing)).outcome is Outcome.WAIT
    back = replace(asking("a", 2), meter=meter, released=Amounts(60))
    assert (await world.quota.exchange(back)).called_back
    assert (await world.quota.exchange(replace(needing, number=2))).granted == Amounts(1)
    world.advance(1.1)
    assert (await world.quota.exchange(replace(needing, number=3))).granted > Amounts(2)
