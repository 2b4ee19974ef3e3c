"""Whatever is asked and when: no true minute holds more than the limit, and nothing that fits is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ports import Amounts, Outcome, Spend, Statement
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from fakes.world import World

LIMIT = 10
WINDOW_MS = 60_000
BUCKET_MS = 1_000
COUNTED = 61

waits = st.tuples(st.just("wait"), st.one_of(st.integers(0, 3_000), st.integers(0, 14_000)), st.just(0))
asks = st.tuples(st.just("ask"), st.integers(1, LIMIT + 2), st.integers(0, 1))
ends = st.tuples(st.just("end"), st.integers(0, LIMIT + 5), st.integers(0, 1))
Steps = list[tuple[str, int, int]]

subjects = count()


@dataclass
class Holder:
    name: str
    number: int = 0
    open: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Model:
    """What was spent when, in milliseconds, and what is held: the truth that the store must keep to."""

    log: list[tuple[int, int]] = field(default_factory=list)
    held: int = 0

    def used(self, now: int) -> int:
        oldest = now // BUCKET_MS - COUNTED
        return self.held + sum(amount for at, amount in self.log if at // BUCKET_MS > oldest)

    def worst_window(self) -> int:
        return max((sum(n for at, n in self.log if end - WINDOW_MS < at <= end) for end, _ in self.log), default=0)


class Conversation:
    """Two holders of one meter; every statement is checked against the model."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.meter = Meter(f"window-{next(subjects)}", Scope.TENANT, Limits(None, LIMIT, None))
        self.holders = [Holder("a"), Holder("b")]
        self.model = Model()
        self.excess = 0

    @property
    def now(self) -> int:
        return self.world.clock.milliseconds()

    async def ask(self, amount: int, who: int) -> None:
        holder, now = self.holders[who], self.now
        holder.number += 1
        wants = Amounts(0, amount, 0)
        statement = Statement(self.meter, holder.name, holder.number, least=wants, needed=wants, wanted=wants)
        grant = await self.world.quota.exchange(statement)
        if self.model.used(now) + amount <= LIMIT:
            assert (grant.outcome, grant.granted, grant.short_of) == (Outcome.TOLD, wants, None)
            self.model.held += amount
            holder.open.append((now, amount))
            return
        assert (grant.granted, grant.short_of) == (Amounts(), "tokens")
        spent = self.model.used(now) - self.model.held
        if spent + amount > LIMIT:
            self.check_wait(grant.retry_after, amount)

    def check_wait(self, retry_after: float | None, amount: int) -> None:
        assert retry_after is not None
        wait = round(retry_after * 1_000)
        if amount > LIMIT:
            assert wait == WINDOW_MS
            return
        then = self.now + wait
        held = self.model.held
        assert 0 < wait <= WINDOW_MS + BUCKET_MS
        assert self.model.used(then) - held + amount <= LIMIT
        assert self.model.used(then - 1) - held + amount > LIMIT

    async def end(self, used: int, who: int) -> None:
        holder = self.holders[who]
        if not holder.open:
            return
        at, amount = holder.open.pop(0)
        holder.number += 1
        statement = Statement(
            self.meter, holder.name, holder.number, Amounts(0, amount, 0), (Spend(at // BUCKET_MS, 0, used),)
        )
        await self.world.quota.exchange(statement)
        self.model.held -= amount
        self.model.log.append((at, used))
        self.excess += max(0, used - amount)

    async def run(self, steps: Steps) -> None:
        for kind, number, who in steps:
            if kind == "wait":
                self.world.advance(number / 1_000)
                for holder in self.holders:  # heartbeats, so that nothing runs out
                    holder.number += 1
                    await self.world.quota.exchange(Statement(self.meter, holder.name, holder.number))
            elif kind == "ask":
                await self.ask(number, who)
            else:
                await self.end(number, who)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(waits, asks, ends), max_size=40))
async def test_the_store_agrees_with_an_exact_log(world: World, steps: Steps) -> None:
    conversation = Conversation(world)
    await conversation.run(steps)
    assert conversation.model.worst_window() <= LIMIT + conversation.excess
