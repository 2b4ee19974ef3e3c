from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import pytest

from gateway.stores.redis import sketch
from gateway.stores.redis.client import Line, Store, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.sketch import Sketch, accesses
from gateway.tasks import TaskGroup
from gateway.vocabulary import ItemKey

if TYPE_CHECKING:
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")


def key(first: int, rest: int = 0) -> ItemKey:
    return ItemKey(bytes([first]) + rest.to_bytes(15, "big"), b"p")


async def written(client: Client, tasks: TaskGroup) -> None:
    """Batches are put together in the event loop's next turns and then sent, by a task on a cluster."""
    for _ in range(10):
        await asyncio.sleep(0)
    await tasks.drain(5.0)
    if isinstance(client, Store) and client.wires is not None:
        await client.wires.quiet()


async def test_one_address_in_256_is_written_down_in_order(
    store_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = TaskGroup()
    recorder = Sketch(Line(store_client, tasks, 5.0), KEYS)
    recorder.seen([key(first) for first in range(256)])
    await written(store_client, tasks)
    recorder.seen([key(0, rest) for rest in range(1, 6)])
    await written(store_client, tasks)
    monkeypatch.setattr(sketch, "READ_AT_ONCE", 2)
    found = await accesses(store_client, KEYS)
    assert [address for _, address in found] == [key(0, rest).address for rest in range(6)]
    times = [at for at, _ in found]
    assert times == sorted(times)
    assert times[0] == pytest.approx(time.time(), abs=60)


async def test_the_trace_is_bounded(store_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch, "LONGEST", 10)
    tasks = TaskGroup()
    Sketch(Line(store_client, tasks, 5.0), KEYS).seen([key(0, rest) for rest in range(500)])
    await written(store_client, tasks)
    assert await store_client.xlen(KEYS.sketch) < 200


async def test_what_is_not_sampled_asks_nothing(store_client: Client) -> None:
    tasks = TaskGroup()
    line = Line(store_client, tasks, 5.0)
    Sketch(line, KEYS).seen([key(first) for first in range(1, 256)])
    assert line._waiting == []
    assert await accesses(store_client, KEYS) == []


async def test_a_store_that_fails_is_nobodys_problem() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    client, tasks = connect("unix:///nonexistent/socket", 0.5), TaskGroup()
    Sketch(Line(client, tasks, 0.5), KEYS).seen([key(0)])
    await written(client, tasks)
    await asyncio.sleep(0)
    gc.collect()  # asyncio complains of a failure that nobody looked at when the future goes
    assert complaints == []
    await client.aclose()
