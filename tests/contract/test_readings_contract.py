from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.live import FakeReadings
from fakes.quota import FakeQuota

from gateway.ports import Amounts, Spend, Statement
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.stores.redis.readings import RedisReadings
from gateway.tasks import TaskGroup
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import QuotaStore
    from gateway.ports.live import Readings

METER = Meter("t", Scope.TENANT, Limits(requests=10, tokens=100, concurrency=4))
BUDGET = replace(METER, subject="b", scope=Scope.BUDGET, period=500)
Both = tuple["QuotaStore", "Readings", FakeClock]


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeQuota(clock.milliseconds, 300.0)
        yield fake, FakeReadings(fake), clock
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    line = Line(client, tasks, 5.0)
    yield (
        RedisQuota(line, Keys("gw"), 300.0, clock.milliseconds),
        RedisReadings(line, Keys("gw"), clock.epoch),
        clock,
    )
    await tasks.drain(5.0)
    await client.aclose()


async def test_what_is_held_and_in_use_counts_and_what_is_idle_does_not(both: Both) -> None:
    quota, readings, _ = both
    assert await readings.used([METER]) == [Amounts(0, 0, 0)]
    want = Amounts(2, 40, 1)
    grant = await quota.exchange(Statement(METER, "a", 1, least=want, needed=want, wanted=want))
    assert await readings.used([METER, replace(METER, subject="other")]) == [grant.used, Amounts(0, 0, 0)]
    assert grant.used == Amounts(2, 40, 1)
    idle = Statement(METER, "a", 2, idle=Amounts(1, 30, 1))
    assert (await quota.exchange(idle)).used == Amounts(1, 10, 0)
    assert await readings.used([METER]) == [Amounts(1, 10, 0)]


async def test_what_was_spent_counts_for_a_minute_to_one_bucket(both: Both) -> None:
    quota, readings, clock = both
    want = Amounts(3, 50)
    await quota.exchange(Statement(METER, "a", 1, least=want, needed=want, wanted=want))
    spent = (Spend(1_000, 1, 20), Spend(998, 2, 30))
    await quota.exchange(Statement(METER, "a", 2, released=want, spent=spent))
    for seconds, used in ((0, Amounts(3, 50)), (58, Amounts(3, 50)), (1, Amounts(1, 20)), (2, Amounts(0, 0))):
        clock.now += seconds
        assert await readings.used([METER]) == [used], clock.now


async def test_a_budgets_period_counts_whole_and_another_is_unknown(both: Both) -> None:
    quota, readings, clock = both
    assert await readings.used([BUDGET]) == [None]
    want = Amounts(0, 50)
    told = Statement(BUDGET, "a", 1, least=want, needed=want, wanted=want, seed=7)
    assert (await quota.exchange(told)).used == Amounts(0, 57)
    clock.now += 200
    assert await readings.used([BUDGET, replace(BUDGET, period=600)]) == [Amounts(0, 57), None]
