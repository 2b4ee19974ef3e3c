from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock

from gateway.errors import StoreError
from gateway.stores.redis.client import Line
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.usage import WRITER_SECONDS, RedisLedger
from gateway.tasks import TaskGroup
from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")
ACCOUNT = Account(10, "a", "k", "m", "embeddings")


def ledger(client: Client, clock: FakeClock) -> RedisLedger:
    return RedisLedger(Line(client, TaskGroup(), 5.0), KEYS, 400, clock)


async def test_nothing_of_it_may_be_evicted_and_all_keys_of_a_script_share_a_slot(store_client: Client) -> None:
    await ledger(store_client, FakeClock()).add(Batch("w", 1, {ACCOUNT: Tally(1, 2)}), 0)
    names = [name async for name in store_client.scan_iter()]
    assert [await store_client.ttl(name) for name in names] == [-1] * 5
    assert sum(b"{a}" in name for name in names) == 4


async def test_a_writer_long_silent_is_forgotten_and_one_that_writes_is_short(store_client: Client) -> None:
    clock = FakeClock(start=10_000_000.0)
    books = ledger(store_client, clock)
    await books.add(Batch("old", 1, {ACCOUNT: Tally(1)}), 0)
    clock.now += WRITER_SECONDS + 1
    for sequence in range(1, 50):
        await books.add(Batch("new", sequence, {ACCOUNT: Tally(1)}), max(0, sequence - 5))
    writers = await store_client.hgetall(KEYS.usage("a")[0])
    assert list(writers) == [b"new"]
    assert len(writers[b"new"].split()) == 2 + 5


async def test_what_is_no_row_is_damage(store_client: Client) -> None:
    books = ledger(store_client, FakeClock())
    await books.add(Batch("w", 1, {ACCOUNT: Tally(1)}), 0)
    await store_client.hset(KEYS.usage_hour("a", 10), "broken", 1)
    with pytest.raises(StoreError, match="damaged"):
        await books.rows("a", 0, 100)
