"""Bursts over two workers: exactly the limit is admitted, whatever is called back while requests wait."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fakes.observer import FakeObserver

from gateway.clock import SystemClock
from gateway.leasing.leases import Leases, RefusedError
from gateway.stores.redis.calls_back import hear
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.tasks import TaskGroup
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS = Keys("gw")
LIMIT = 10
BURST = 40
BURSTS = 60


@pytest.fixture
async def workers(valkey_url: str) -> AsyncIterator[list[Leases]]:
    """Two workers that both know of each other and hear what is called back."""
    clients = [connect(valkey_url, 5.0) for _ in range(2)]
    await clients[0].flushall()
    tasks, running = TaskGroup(), list[asyncio.Future[None]]()
    pair = [
        Leases(RedisQuota(Line(client, tasks, 5.0), KEYS, 15), SystemClock(), tasks, FakeObserver())
        for client in clients
    ]
    for leases, client in zip(pair * 2, clients * 2, strict=True):
        await leases.tick()
        if len(running) < len(pair):
            running.append(asyncio.ensure_future(hear(client, KEYS, leases.called_back)))
    yield pair
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    await tasks.drain(5.0)
    for client in clients:
        await client.aclose()


async def request(leases: Leases, meter: Meter, chance: random.Random) -> bool:
    """One that takes a request, then tokens, then ends."""
    await asyncio.sleep(chance.random() * 0.01)
    lease = leases.of(meter)
    with suppress(RefusedError):
        door = await leases.take([(lease, 1, 0, 1)])
        await asyncio.sleep(chance.random() * 0.003)
        try:
            covered = await leases.take([(lease, 0, 10, 0)])
        except RefusedError:
            leases.settle(door[0], 0, 0)
            return False
        await asyncio.sleep(chance.random() * 0.01)
        leases.settle(door[0], 1, 0)
        leases.settle(covered[0], 0, 5)
        return True
    return False


async def test_every_burst_gets_exactly_the_limit(workers: list[Leases]) -> None:
    chance = random.Random(5)  # noqa: S311 - spread, not secrecy
    for number in range(BURSTS):
        meter = Meter(f"burst-{number}", Scope.TENANT, Limits(LIMIT, 100_000, None))
        admitted = await asyncio.gather(*(request(workers[at % 2], meter, chance) for at in range(BURST)))
        assert sum(admitted) == LIMIT
