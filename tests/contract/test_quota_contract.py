from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes.quota import QUIET

from gateway.ports import Amounts, Outcome, Spend, Statement
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from fakes.world import World

    from gateway.ports import Grant

METER = Meter("t", Scope.TENANT, Limits(requests=10, tokens=100, concurrency=4))
LEASE = 15.0


class Worker:
    """A holder that says things with the right number; `told` is its last statement."""

    def __init__(self, world: World, name: str, meter: Meter = METER) -> None:
        self.world, self.name, self.meter, self.number = world, name, meter, 0
        self.told: Statement | None = None

    async def say(self, *, run: str = "", **fields: Any) -> Grant:
        self.number += 1
        self.told = Statement(self.meter, self.name, self.number, **fields)
        grant = await self.world.quota.exchange(self.told, run)
        if grant.outcome is Outcome.UNSEEDED:
            self.number -= 1  # it is to be said again, with a seed
        return grant

    async def need(self, requests: int = 0, tokens: int = 0, slots: int = 0, **fields: Any) -> Grant:
        """Exactly this, all or nothing."""
        amounts = Amounts(requests, tokens, slots)
        return await self.say(least=amounts, needed=amounts, wanted=amounts, **fields)

    def spent(self, requests: int = 0, tokens: int = 0, ago: int = 0) -> dict[str, Any]:
        second = int(self.world.clock.now) - ago
        return {"released": Amounts(requests, tokens), "spent": (Spend(second, requests, tokens),)}


@pytest.fixture
def a(world: World) -> Worker:
    return Worker(world, "a")


@pytest.fixture
def b(world: World) -> Worker:
    return Worker(world, "b")


async def test_what_is_granted_is_held_and_counts_as_used(a: Worker, b: Worker) -> None:
    grant = await a.need(1, 40, 1)
    assert (grant.outcome, grant.granted, grant.used) == (Outcome.TOLD, Amounts(1, 40, 1), Amounts(1, 40, 1))
    assert (grant.short_of, grant.called_back) == (None, False)
    assert (await b.say()).used == Amounts(1, 40, 1)


async def test_what_is_released_is_free_and_what_is_spent_stays_for_a_window(world: World, a: Worker) -> None:
    await a.need(1, 40, 1)
    grant = await a.say(released=Amounts(1, 40, 1), spent=(Spend(int(world.clock.now), 1, 30),))
    assert grant.used == Amounts(1, 30, 0)
    world.advance(60.9)
    assert (await a.say()).used == Amounts(1, 30, 0)
    world.advance(0.1)
    assert (await a.say()).used == Amounts(0, 0, 0)


async def test_what_was_spent_counts_in_its_own_second(world: World, a: Worker) -> None:
    await a.need(2)
    await a.say(**a.spent(2, ago=30))
    world.advance(30.9)
    assert (await a.say()).used.requests == 2
    world.advance(0.1)
    assert (await a.say()).used.requests == 0


async def test_a_second_in_the_future_is_now_and_one_long_gone_is_nothing(world: World, a: Worker) -> None:
    await a.need(4)
    assert (await a.say(**a.spent(2, ago=-100))).used.requests == 4
    assert (await a.say(**a.spent(2, ago=61))).used.requests == 2
    world.advance(61)
    assert (await a.say()).used.requests == 0


async def test_the_same_number_again_gets_the_same_grant_and_changes_nothing(world: World, a: Worker) -> None:
    first = await a.need(3, 50, 2)
    assert a.told is not None
    assert await world.quota.exchange(a.told) == first
    assert (await a.say()).used == Amounts(3, 50, 2)


@pytest.mark.parametrize(
    ("needs", "short_of", "wait"),
    [((11, 0, 0), "requests", 60.0), ((0, 101, 0), "tokens", 60.0), ((0, 0, 5), "concurrency", 1.0)],
)
async def test_more_than_the_limit_is_never_granted(
    a: Worker, needs: tuple[int, int, int], short_of: str, wait: float
) -> None:
    grant = await a.need(*needs)
    assert (grant.granted, grant.short_of, grant.retry_after) == (Amounts(), short_of, wait)
    assert grant.used == Amounts()


async def test_one_limit_that_falls_short_does_not_keep_the_others_back(a: Worker) -> None:
    grant = await a.need(1, 101, 1)
    assert (grant.granted, grant.short_of) == (Amounts(1, 0, 1), "tokens")


async def test_those_who_wait_together_get_as_much_as_there_is(a: Worker) -> None:
    grant = await a.say(least=Amounts(1), needed=Amounts(14), wanted=Amounts(14))
    assert (grant.granted, grant.short_of) == (Amounts(10), None)


async def test_far_from_the_limit_a_holder_gets_more_than_it_needs_but_half_of_its_share_at_most(
    a: Worker, b: Worker
) -> None:
    asked: dict[str, Any] = {"least": Amounts(1), "needed": Amounts(1), "wanted": Amounts(8), "holders": 2}
    assert (await a.say(**asked)).granted == Amounts(1 + 2)
    assert (await b.say(**asked)).granted == Amounts(1 + 1)
    grant = await b.say(**asked | {"idle": Amounts(1)})
    assert grant.granted == Amounts(1)
    assert grant.used == Amounts(1 + 1 + 1), "idle amounts are not used, as far as their holders say"


async def test_who_may_give_back_is_called_and_waited_for_and_then_it_is_said_for_good(
    world: World, a: Worker, b: Worker
) -> None:
    assert (await a.say(least=Amounts(1), needed=Amounts(1), wanted=Amounts(9))).granted == Amounts(1 + 4)
    await a.say(idle=Amounts(4))
    waiting = await b.need(6)
    assert (waiting.outcome, waiting.short_of, waiting.called_back) == (Outcome.WAIT, "requests", True)
    world.advance(0.003)
    assert (await a.say(idle=Amounts(4))).called_back
    assert (await b.need(6)).outcome is Outcome.WAIT, "that was on its way already, and has idle amounts"
    await a.say(released=Amounts(4), idle=Amounts())
    grant = await b.need(10)
    assert (grant.outcome, grant.short_of) == (Outcome.TOLD, "requests"), "nobody has anything to give back"
    assert (await b.need(9)).granted == Amounts(9)


async def test_what_is_spent_is_waited_for_in_time_and_not_called_back(world: World, a: Worker, b: Worker) -> None:
    for gap, amount in ((10.3, 4), (5.4, 4), (2.0, 2)):
        await a.need(amount)
        await a.say(**a.spent(amount))
        world.advance(gap)
    grant = await b.need(5)
    assert (grant.outcome, grant.short_of, grant.called_back) == (Outcome.SPENT, "requests", False)
    assert grant.retry_after is not None
    world.advance(grant.retry_after - 0.001)
    assert (await b.need(5)).granted == Amounts()
    world.advance(0.001)
    assert (await b.need(5)).granted == Amounts(5)


async def test_a_silent_holders_slots_are_free_and_the_rest_is_charged(world: World, a: Worker, b: Worker) -> None:
    await a.need(4, 40, 4)
    world.advance(LEASE - 0.1)
    assert (await b.need(slots=1)).granted == Amounts()
    world.advance(0.1)
    assert (await b.need(slots=1)).granted == Amounts(0, 0, 1)
    assert (await b.say()).used == Amounts(4, 40, 1)
    world.advance(61)
    assert (await b.say()).used.requests == 0


async def test_a_holder_that_comes_back_has_what_it_had(world: World, a: Worker, b: Worker) -> None:
    await a.need(4, 40, 1)
    world.advance(LEASE)
    await b.say()
    world.advance(10)
    grant = await a.say(released=Amounts(4, 40), spent=(Spend(int(world.clock.now) - 20, 1, 10),))
    assert (grant.outcome, grant.used) == (Outcome.TOLD, Amounts(1, 10, 1))


async def test_a_holder_that_leaves_leaves_nothing(world: World, a: Worker, b: Worker) -> None:
    await a.need(4, 40, 1)
    await a.say(released=Amounts(4, 40, 1), leaves=True)
    assert (await b.say()).used == Amounts()
    world.advance(LEASE)
    assert (await b.say()).used == Amounts()


async def test_a_store_that_forgot_is_told_again_before_others_get_anything(world: World, a: Worker, b: Worker) -> None:
    await a.need(4, 40, 1)
    await a.say(released=Amounts(2), spent=(Spend(int(world.clock.now), 2, 0),))
    await world.forget()
    assert (await a.need(1)).outcome is Outcome.LOST
    waiting = await b.need(9)
    assert (waiting.outcome, waiting.granted) == (Outcome.WAIT, Amounts())
    told = await a.say(restored=Amounts(2, 40, 1), spent=(Spend(int(world.clock.now), 2, 0),))
    assert (told.outcome, told.used) == (Outcome.TOLD, Amounts(4, 40, 1))
    world.advance(1.6)
    assert (await b.need(9)).short_of == "requests"
    assert (await b.need(6)).granted == Amounts(6)


async def test_who_knows_another_run_of_the_server_makes_it_wait_for_the_others(world: World, b: Worker) -> None:
    run = (await world.quota.register("w", 15.0)).run
    assert (await b.need(1, run=run)).granted == Amounts(1)
    other = Worker(world, "c", replace(METER, subject="other"))
    waiting = await other.need(1, run="0")
    assert (waiting.outcome, waiting.granted) == (Outcome.WAIT, Amounts())
    assert waiting.retry_after == pytest.approx(QUIET, abs=0.01)
    world.advance(1.6)
    assert (await other.need(1, run=run)).granted == Amounts(1)


async def test_what_a_budget_spends_comes_back_with_the_next_period_only(world: World) -> None:
    budget = replace(METER, period=86_400)
    worker = Worker(world, "a", budget)
    assert (await worker.need(0, 90)).outcome is Outcome.UNSEEDED
    assert (await worker.need(0, 60, seed=30)).granted == Amounts(0, 60, 0)
    await worker.say(released=Amounts(0, 60), spent=(Spend(86_400, 0, 60),))
    world.advance(100_000)
    for _ in range(2):
        grant = await worker.need(0, 11, seed=0)
        assert (grant.short_of, grant.retry_after, grant.used.tokens) == ("tokens", None, 90)
    assert (await worker.need(0, 10)).granted == Amounts(0, 10)
    other = Worker(world, "b", replace(budget, period=2 * 86_400))
    assert (await other.need(0, 11)).outcome is Outcome.UNSEEDED
    assert (await other.need(0, 90, seed=0)).granted == Amounts(0, 90)
    late = await worker.say(spent=(Spend(86_400, 0, 5),))
    assert late.used.tokens == 100, "what is held counts in the new period; what was spent in the old one does not"


async def test_meters_are_kept_apart_and_limits_are_those_of_the_question(world: World, a: Worker) -> None:
    await a.need(10)
    other = Worker(world, "a", replace(METER, subject="other"))
    assert (await other.need(10)).granted == Amounts(10)
    raised = Worker(world, "b", replace(METER, limits=Limits(12, None, None)))
    assert (await raised.need(2)).granted == Amounts(2)


async def test_workers_are_counted_and_told_apart(world: World) -> None:
    first = await world.quota.register("w1", 15.0)
    second = await world.quota.register("w2", 15.0)
    assert (first.workers, second.workers) == (1, 2)
    assert {(await world.quota.register(name, 15.0)).rank for name in ("w1", "w2")} == {0, 1}
    assert first.run == second.run
    assert bool(first.run) == world.knows_run


async def test_failures_of_an_address_are_counted_up_to_the_limit(world: World) -> None:
    for _ in range(3):
        assert await world.quota.hit("192.0.2.1", 3) is None
        world.advance(10)
    wait = await world.quota.hit("192.0.2.1", 3)
    assert wait is not None
    assert wait == pytest.approx(31, abs=1.0)
    assert await world.quota.hit("192.0.2.2", 3) is None
    world.advance(wait)
    assert await world.quota.hit("192.0.2.1", 3) is None


async def test_it_answers(world: World) -> None:
    await world.quota.ping()
