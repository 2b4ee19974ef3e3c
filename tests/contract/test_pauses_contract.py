from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.pauses import FakePauses

from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.pauses import RedisPauses
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import Pauses

Both = tuple["Pauses", "Pauses", FakeClock]


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    """Two gateways on one store, and the clock that it believes."""
    clock = FakeClock()
    if request.param == "fake":
        fake = FakePauses(clock.milliseconds)
        yield fake, fake, clock
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    first, second = (RedisPauses(Line(client, tasks, 5.0), Keys("gw"), clock.milliseconds) for _ in range(2))
    yield first, second, clock
    await tasks.drain(5.0)
    await client.aclose()


async def test_a_pause_holds_for_every_gateway_and_is_only_made_longer(both: Both) -> None:
    first, second, clock = both
    await first.pause("k", 40)
    await second.pause("k", 20)
    for side in (first, second):
        assert await side.paused("k") == pytest.approx(40)
    await first.pause("k", 50)
    clock.now += 49.9
    assert await second.paused("k") == pytest.approx(0.1)
    clock.now += 0.1
    assert await second.paused("k") == 0


async def test_a_pause_of_one_key_is_nothing_to_another(both: Both) -> None:
    first, second, _ = both
    await first.pause("k", 40)
    assert await second.paused("other") == 0
