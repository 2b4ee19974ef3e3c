"""The cache as the console sees it, on a real store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.app.stock import CacheStock
from gateway.edge.console.stock import Contents, Purged, Shelf
from gateway.plan.origin import origin
from gateway.stores.redis.client import Line
from gateway.stores.redis.cluster import Cluster
from gateway.stores.redis.entry import encode
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.stores.redis.client import Client

KEYS = Keys("gw")
SIZE = 5 + 16 + 48 + 16 + 8


@pytest.fixture
async def stock(store_client: Client) -> AsyncIterator[CacheStock]:
    """Two entries of our model, one of another that nobody serves any more."""
    tasks = TaskGroup()
    for number, (model, tenant) in enumerate((("ours", "shop"), ("ours", "blog"), ("theirs", "shop"))):
        answer = Answer(Shape.SCORE, bytes(8), 0, 3, made=100 + number, origin=origin(model, tenant))
        entry = encode(b"p" * 16, answer)
        await store_client.set(KEYS.answer(bytes([number]) * 16), entry)
    yield CacheStock(Line(store_client, tasks, 5.0), KEYS, lambda: ("ours",))
    await tasks.drain(5.0)


async def test_what_is_stored_is_told_by_model(stock: CacheStock) -> None:
    held = await stock.contents()
    assert held.shelves[0] == Shelf("ours", 2, 2 * SIZE, 6)
    assert (held.shelves[1].entries, len(held.shelves[1].model)) == (1, 16)
    assert held == Contents(held.shelves, 100, 102)


async def test_a_server_tells_how_full_it_is(stock: CacheStock, store_client: Client) -> None:
    room = await stock.room()
    if isinstance(store_client, Cluster):
        assert room is None, "several servers are not added up"
        return
    assert room is not None
    assert room.keys == 3
    assert room.used > 100_000
    assert (room.policy, room.evicted) == ("noeviction", 0)


async def test_what_fits_all_conditions_is_removed(stock: CacheStock) -> None:
    assert await stock.purge("ours", "shop", None) == Purged(1, 0)
    assert await stock.purge("", "", 102) == Purged(1, 0)
    assert await stock.purge("", "", None) == Purged(1, 0)
    assert (await stock.contents()).shelves == []
