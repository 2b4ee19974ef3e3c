from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.canaries import FakeCanaries

from gateway.errors import StoreError
from gateway.stores.redis.canaries import CLAIM_SECONDS, ODD_SECONDS, RedisCanaries
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import Canaries
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")
REVISION = "jina-embeddings-v3@{2024}: 1"


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Canaries, Canaries]]:
    """One store as two workers see it."""
    if request.param == "fake":
        fake = FakeCanaries()
        yield fake, fake
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    one, other = (RedisCanaries(Line(client, tasks, 5.0), KEYS) for _ in range(2))
    yield one, other
    await tasks.drain(5.0)
    await client.aclose()


async def test_one_worker_sends_a_revisions_canary_in_an_hour(pair: tuple[Canaries, Canaries]) -> None:
    one, other = pair
    asked = [worker.claim(REVISION, 500_000) for worker in (one, other) * 5]
    assert sum(await asyncio.gather(*asked)) == 1
    assert await other.claim(REVISION, 500_001)
    assert await other.claim("another", 500_000)
    assert not await one.claim(REVISION, 500_000)


async def test_the_first_vector_is_remembered_as_it_is(pair: tuple[Canaries, Canaries]) -> None:
    one, other = pair
    vector = bytes(range(256)) * 16
    assert await one.reference(REVISION) is None
    assert await one.remember(REVISION, vector) == vector
    assert await other.remember(REVISION, b"another") == vector
    assert await other.reference(REVISION) == vector
    assert await other.reference("another") is None


async def test_the_last_who_are_odd_are_seen_by_all(pair: tuple[Canaries, Canaries]) -> None:
    one, other = pair
    assert await other.odd(REVISION) == frozenset()
    await one.publish(REVISION, {"gpu", "gr\u00fcn"})
    assert await other.odd(REVISION) == {"gpu", "gr\u00fcn"}
    assert await other.odd("another") == frozenset()
    await other.publish(REVISION, set())
    assert await one.odd(REVISION) == frozenset()


async def test_what_is_published_ends_and_what_is_remembered_stays(store_client: Client) -> None:
    tasks = TaskGroup()
    canaries = RedisCanaries(Line(store_client, tasks, 5.0), KEYS)
    await canaries.claim(REVISION, 1)
    await canaries.publish(REVISION, {"gpu"})
    await canaries.remember(REVISION, b"vector")
    reference, odd = KEYS.canary(REVISION)
    left = [await store_client.ttl(name) for name in (reference, odd, KEYS.canary_claim(REVISION, 1))]
    assert left[0] == -1
    assert ODD_SECONDS - 5 <= left[1] <= ODD_SECONDS
    assert CLAIM_SECONDS - 5 <= left[2] <= CLAIM_SECONDS
    await tasks.drain(5.0)


async def test_a_store_that_is_down_says_so() -> None:
    fake = FakeCanaries()
    fake.down = True
    for asked in (fake.claim("r", 1), fake.reference("r"), fake.remember("r", b""), fake.publish("r", set())):
        with pytest.raises(StoreError):
            await asked
    tasks = TaskGroup()
    client = connect("unix:///nowhere/s", 0.5)
    real = RedisCanaries(Line(client, tasks, 0.5), KEYS)
    with pytest.raises(StoreError):
        await real.claim("r", 1)
    await tasks.drain(1.0)
    await client.aclose()
