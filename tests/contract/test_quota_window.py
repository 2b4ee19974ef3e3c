from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ports import Admission, Usage, Verdict
from gateway.vocabulary import Limits

if TYPE_CHECKING:
    from fakes.world import World

LIMIT = 10
LIMITS = Limits(requests=None, tokens=LIMIT, concurrency=None)
WINDOW_MS = 60_000
BUCKET_MS = 1_000

waits = st.tuples(st.just("wait"), st.one_of(st.integers(0, 3_000), st.integers(0, 70_000)))
asks = st.tuples(st.just("ask"), st.integers(1, LIMIT + 2))
ends = st.tuples(st.just("end"), st.integers(0, LIMIT + 5))
Steps = list[tuple[str, int]]

subjects = count()


@dataclass
class Event:
    at: int
    amount: int


@dataclass
class Model:
    """The log that the store must agree with: to the millisecond, or to whole buckets with 61 of them counted."""

    exact: bool
    log: list[Event] = field(default_factory=list)
    open: dict[str, Event] = field(default_factory=dict)

    def counts(self, event: Event, now: int) -> bool:
        if self.exact:
            return event.at > now - WINDOW_MS
        return event.at // BUCKET_MS >= now // BUCKET_MS - WINDOW_MS // BUCKET_MS

    def used(self, now: int) -> int:
        return sum(event.amount for event in self.log if self.counts(event, now))

    def admit(self, lease: str, amount: int, now: int) -> None:
        self.open[lease] = Event(now, amount)
        self.log.append(self.open[lease])

    def settle(self, lease: str, used: int, now: int) -> None:
        event = self.open.pop(lease)
        if self.counts(event, now):
            event.amount = used
        elif used > event.amount:
            self.log.append(Event(now, used - event.amount))

    def worst_window(self) -> int:
        return max(
            (sum(e.amount for e in self.log if last.at - WINDOW_MS < e.at <= last.at) for last in self.log), default=0
        )


def check_refusal(model: Model, verdict: Verdict, amount: int, now: int) -> None:
    assert verdict.refused_by == "tokens"
    assert model.used(now) + amount > LIMIT
    assert verdict.usage.tokens == model.used(now)
    wait = round(verdict.retry_after * 1_000)
    if amount > LIMIT:
        assert wait == WINDOW_MS
        return
    assert 0 < wait <= WINDOW_MS + BUCKET_MS
    assert model.used(now + wait) + amount <= LIMIT
    assert model.used(now + wait - 1) + amount > LIMIT


async def run(world: World, steps: Steps, *, overdraw: bool) -> Model:
    subject, model, leases = f"s{next(subjects)}", Model(world.exact), count()
    peek = Admission(subject, "", "peek", LIMITS)
    for what, value in steps:
        now = world.clock.milliseconds()
        if what == "wait":
            world.advance(value / 1_000)
        elif what == "ask":
            lease = f"l{next(leases)}"
            verdict = await world.quota.admit(Admission(subject, lease, "cover", LIMITS, tokens=value))
            if verdict.refused_by is None:
                assert model.used(now) + value <= LIMIT
                model.admit(lease, value, now)
            else:
                check_refusal(model, verdict, value, now)
        elif model.open:
            lease = list(model.open)[value % len(model.open)]
            used = value if overdraw else min(value, model.open[lease].amount)
            model.settle(lease, used, now)
            assert await world.quota.settle(subject, lease, 0, used) == Usage(0, model.used(now), 0)
        now = world.clock.milliseconds()
        assert (await world.quota.admit(peek)).usage == Usage(0, model.used(now), 0)
    return model


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(waits, asks, asks, ends), max_size=60))
async def test_no_true_window_holds_more_than_the_limit(world: World, steps: Steps) -> None:
    model = await run(world, steps, overdraw=False)
    assert model.worst_window() <= LIMIT


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(waits, asks, asks, ends), max_size=60))
async def test_settlement_is_exact_also_beyond_the_reservation(world: World, steps: Steps) -> None:
    await run(world, steps, overdraw=True)
