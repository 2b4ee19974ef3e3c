from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.live import FakeLive

from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.live import RedisLive
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports.live import Live


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def live(request: pytest.FixtureRequest) -> AsyncIterator[Live]:
    if request.param == "fake":
        yield FakeLive()
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    yield RedisLive(Line(client, tasks, 5.0), Keys("gw"))
    await tasks.drain(5.0)
    await client.aclose()


async def test_what_workers_add_is_summed_by_slot(live: Live) -> None:
    await live.add(7, {"requests": 2, "t:shop/ü": 5})
    await live.add(7, {"requests": 3})
    await live.add(9, {"requests": 1})
    assert await live.slots(7, 9) == {7: {"requests": 5, "t:shop/ü": 5}, 8: {}}
    assert await live.slots(7, 7) == {}


async def test_a_workers_last_word_stays_until_it_is_forgotten(live: Live) -> None:
    await live.report("a", b"one")
    await live.report("a", b"two")
    await live.report("b", b"three")
    assert await live.reports() == {"a": b"two", "b": b"three"}
    await live.forget("a")
    await live.forget("nobody")
    assert await live.reports() == {"b": b"three"}
