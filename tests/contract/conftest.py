"""E: each port's implementations, fake and real, on a clock that the test turns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from fakes.answers import FakeAnswers
from fakes.claims import FakeClaims
from fakes.clock import FakeClock
from fakes.ledger import FakeLedger
from fakes.observer import FakeObserver
from fakes.quota import FakeQuota
from fakes.sources import FakeSources
from fakes.votes import FakeVotes
from fakes.world import World

from gateway.stores.redis.cache import RedisAnswers
from gateway.stores.redis.claims import RedisClaims
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.entry import CLAIMED
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.stores.redis.sources import RedisSources
from gateway.stores.redis.usage import RedisLedger
from gateway.stores.redis.votes import RedisVotes
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.stores.redis.client import Client

LEASE_SECONDS = 15.0
RETAIN_DAYS = 10
KEYS = Keys("gw")


async def granted_before_restart(client: Client) -> None:
    """All that was granted was granted by a server that has ended."""
    async for name in client.scan_iter(match=b"gw:*:holds"):
        await client.hset(name, "u", "the run id of a server")


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    clock, observer = FakeClock(), FakeObserver()
    if request.param == "fake":
        fake, answers = FakeQuota(clock.milliseconds, LEASE_SECONDS), FakeAnswers(observer)
        claims = FakeClaims(answers, clock.monotonic)

        async def end_claims() -> None:
            claims.held.clear()

        async def forget() -> None:
            fake.forget()

        async def restarted() -> None:
            fake.run += "1"

        votes, ledger, sources = FakeVotes(observer), FakeLedger(clock.epoch, RETAIN_DAYS), FakeSources()
        yield World(
            fake, answers, claims, votes, sources, sources, ledger, end_claims, forget, restarted, clock, observer
        )
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    line = Line(client, tasks, 5.0)

    async def expire() -> None:
        async for name in client.scan_iter(match=b"gw:c:*"):
            if (await client.get(name) or b"").startswith(CLAIMED):
                await client.delete(name)

    async def forget_all() -> None:
        await client.flushall()

    yield World(
        RedisQuota(line, KEYS, LEASE_SECONDS, clock.milliseconds),
        RedisAnswers(line, KEYS, 60, clock, observer),
        RedisClaims(line, KEYS, 10),
        RedisVotes(line, KEYS, 60, observer),
        RedisSources(line, KEYS, 60, clock),
        RedisSources(line, KEYS, 60, clock),
        RedisLedger(line, KEYS, RETAIN_DAYS, clock),
        expire,
        forget_all,
        partial(granted_before_restart, client),
        clock,
        observer,
        knows_run=request.param != "cluster",
    )
    await tasks.drain(5.0)
    await client.aclose()
