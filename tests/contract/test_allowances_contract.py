from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import pytest
from fakes.allowances import FakeAllowances
from fakes.clock import FakeClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.stores.redis.allowance import RedisAllowances
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup
from gateway.vocabulary import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import Allowance, Allowances

LEASE_SECONDS = 15.0
BUCKET = 1.0
WINDOW = 60.0
NONE = Limits(None, None, None)
LIMITS = Limits(requests=3, tokens=100, concurrency=2)
names = count()


@dataclass
class Account:
    """One upstream key, as two gateways on one store see it."""

    first: Allowances
    second: Allowances
    clock: FakeClock
    name: str = ""
    leases: int = 0

    def __post_init__(self) -> None:
        self.name = f"k{next(names)}"

    async def take(self, tokens: int = 1, limits: Limits = LIMITS) -> tuple[str, Allowance]:
        self.leases += 1
        lease = f"l{self.leases}"
        return lease, await self.first.take(self.name, lease, tokens, limits)

    async def granted(self, tokens: int = 1, limits: Limits = LIMITS) -> tuple[str, Allowance]:
        lease, allowance = await self.take(tokens, limits)
        assert allowance.wait == 0
        assert allowance.stamp is not None
        return lease, allowance

    async def waits(self, tokens: int = 1, limits: Limits = LIMITS) -> float:
        _, allowance = await self.take(tokens, limits)
        assert allowance.wait > 0
        assert allowance.stamp is None
        return allowance.wait

    async def call(self, tokens: int = 1, used: int | None = None, limits: Limits = LIMITS, seconds: float = 0) -> None:
        lease, allowance = await self.granted(tokens, limits)
        self.clock.now += seconds
        await self.first.settle(self.name, lease, allowance, 1, tokens if used is None else used)


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def account(request: pytest.FixtureRequest) -> AsyncIterator[Account]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeAllowances(clock.milliseconds, LEASE_SECONDS)
        yield Account(fake, fake, clock)
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    first, second = (
        RedisAllowances(Line(client, tasks, 5.0), Keys("gw"), LEASE_SECONDS, clock.milliseconds) for _ in range(2)
    )
    yield Account(first, second, clock)
    await tasks.drain(5.0)
    await client.aclose()


async def test_requests_are_drawn_up_to_the_limit_and_come_back_after_a_minute(account: Account) -> None:
    for _ in range(3):
        await account.call()
    wait = await account.waits()
    assert wait == pytest.approx(WINDOW, abs=BUCKET)
    account.clock.now += wait
    await account.granted()


async def test_tokens_wait_for_as_much_as_they_need(account: Account) -> None:
    for tokens in (50, 40):
        await account.call(tokens)
        account.clock.now += 20
    assert await account.waits(60) == pytest.approx(20, abs=BUCKET)
    assert await account.waits(61) == pytest.approx(40, abs=BUCKET)
    assert await account.waits(101) == pytest.approx(WINDOW, abs=BUCKET)


async def test_a_slot_is_free_when_its_call_is_settled(account: Account) -> None:
    lease, allowance = await account.granted()
    await account.granted()
    assert 0 < await account.waits() <= 1
    await account.first.settle(account.name, lease, allowance, 1, 1)
    await account.granted()


async def test_a_refused_draw_takes_nothing(account: Account) -> None:
    limits = Limits(2, 100, 1)
    lease, allowance = await account.granted(60, limits)
    for _ in range(5):
        await account.waits(60, limits)
        await account.waits(1, limits)
    await account.first.settle(account.name, lease, allowance, 1, 60)
    await account.granted(40, limits)


async def test_what_was_not_used_is_given_back(account: Account) -> None:
    await account.call(100, used=30)
    await account.waits(71)
    await account.granted(70)


async def test_a_call_that_was_never_sent_leaves_no_trace(account: Account) -> None:
    for _ in range(10):
        lease, allowance = await account.granted(100)
        await account.first.settle(account.name, lease, allowance, 0, 0)


async def test_more_than_drawn_is_counted(account: Account) -> None:
    await account.call(10, used=90)
    await account.waits(11)


async def test_a_call_counts_from_its_settlement_since_the_upstream_may_have_seen_it_last_then(
    account: Account,
) -> None:
    await account.call(100, seconds=30)
    account.clock.now += 31
    assert await account.waits() == pytest.approx(29, abs=BUCKET)
    account.clock.now += 30
    await account.granted(100)


async def test_a_draw_that_is_never_settled_ages_out(account: Account) -> None:
    for _ in range(2):
        await account.granted(50)
    account.clock.now += 15.001
    await account.waits(1)
    account.clock.now += 46
    await account.granted(100)


async def test_a_settlement_after_its_draw_aged_out_counts_once(account: Account) -> None:
    lease, allowance = await account.granted(60)
    account.clock.now += 61
    other, later = await account.granted(30)
    await account.first.settle(account.name, lease, allowance, 1, 60)
    await account.waits(11)
    await account.first.settle(account.name, other, later, 1, 30)
    await account.granted(10)


async def test_a_slot_nobody_renews_runs_out_and_stays_out(account: Account) -> None:
    limits = Limits(None, None, 2)
    first, _ = await account.granted(1, limits)
    second, _ = await account.granted(1, limits)
    account.clock.now += 10
    await account.first.renew(account.name, [second, "unknown"])
    account.clock.now += 5.001
    await account.first.renew(account.name, [first, second])
    await account.granted(1, limits)
    await account.waits(1, limits)


async def test_renewing_many_or_none(account: Account) -> None:
    limits = Limits(None, None, 600)
    leases = [(await account.granted(1, limits))[0] for _ in range(600)]
    account.clock.now += 10
    await account.first.renew(account.name, leases)
    await account.first.renew(account.name, [])
    account.clock.now += 10
    await account.waits(1, limits)


async def test_no_limit_is_no_limit(account: Account) -> None:
    for _ in range(20):
        await account.granted(1_000_000, NONE)


async def test_a_pause_stops_every_gateway_and_is_only_made_longer(account: Account) -> None:
    await account.first.pause(account.name, 40)
    await account.second.pause(account.name, 20)
    for side in (account.first, account.second):
        allowance = await side.take(account.name, "x", 1, NONE)
        assert allowance.paused
        assert allowance.wait == pytest.approx(40)
    await account.first.pause(account.name, 50)
    account.clock.now += 49.9
    assert await account.waits() == pytest.approx(0.1)
    account.clock.now += 0.1
    await account.granted()


async def test_a_full_window_is_no_pause(account: Account) -> None:
    _, allowance = await account.take(101)
    assert not allowance.paused


async def test_gateways_on_one_store_share_a_key_and_keys_share_nothing(account: Account) -> None:
    await account.granted()
    assert (await account.second.take(account.name, "other", 1, LIMITS)).wait == 0
    assert (await account.second.take(account.name, "third", 1, LIMITS)).wait > 0
    assert (await account.second.take("elsewhere", "third", 1, LIMITS)).wait == 0


async def test_many_at_once_draw_no_more_than_there_is(account: Account) -> None:
    draws = [
        side.take(account.name, f"{number}{side}", 7, Limits(None, 100, None))
        for number in range(40)
        for side in (account.first, account.second)
    ]
    assert sum(allowance.wait == 0 for allowance in await asyncio.gather(*draws)) == 14


calls = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 60), st.floats(0, 40), st.floats(0, 1)), max_size=40)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=calls)
async def test_no_true_window_at_the_upstream_holds_more_than_the_limit(
    account: Account, calls: list[tuple[float, int, float, float]]
) -> None:
    """Each call comes after a gap, costs tokens, takes its time, and is seen by the upstream somewhere in between."""
    clock, limits = account.clock, Limits(4, 100, None)
    account.name = f"k{next(names)}"
    seen: list[tuple[float, int]] = []
    running: list[tuple[float, str, Allowance]] = []
    for gap, tokens, seconds, arrival in calls:
        until = clock.now + gap
        while running and min(running)[0] <= until:
            ended = min(running)
            running.remove(ended)
            clock.now = max(clock.now, ended[0])
            await account.first.settle(account.name, ended[1], ended[2], 1, ended[2].tokens)
        clock.now = until
        lease, allowance = await account.take(tokens, limits)
        if allowance.wait == 0:
            seen.append((clock.now + arrival * seconds, tokens))
            running.append((clock.now + seconds, lease, allowance))
    for last, _ in seen:
        window = [tokens for at, tokens in seen if last - WINDOW < at <= last]
        assert len(window) <= 4
        assert sum(window) <= 100
