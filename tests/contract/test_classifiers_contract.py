from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.classifiers import FakeClassifiers

from gateway.errors import StoreError
from gateway.ports import Change, Classifier
from gateway.stores.redis.classifiers import RedisClassifiers
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import Classifiers
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")
WEIGHTS = bytes(range(256)) * 8
FIRST = Classifier("c-1", "a", "m", "m@1", "public", ("yes", "gr\u00fcn {x}"), created=100, updated=100)
PRIVATE = Classifier("c-2", "a", "m", "m@1", "private", ("x", "y"), created=50, updated=50, backend="jina")

Pair = tuple["Classifiers", "Classifiers"]


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """One store as two workers see it."""
    if request.param == "fake":
        fake = FakeClassifiers(asyncio.get_running_loop().time)
        yield fake, fake
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    one, other = (RedisClassifiers(Line(client, tasks, 5.0), KEYS) for _ in range(2))
    yield one, other
    await tasks.drain(5.0)
    await client.aclose()


async def test_what_was_added_is_found_with_its_weights(pair: Pair) -> None:
    one, other = pair
    assert await other.find("c-1") is None
    assert await one.add(FIRST, WEIGHTS, 2)
    assert await one.add(PRIVATE, b"", 2)
    assert (await other.find("c-1"), await other.find("c-2")) == (FIRST, PRIVATE)
    assert await other.load(FIRST) == (FIRST, WEIGHTS)
    assert await other.load(PRIVATE) == (PRIVATE, b"")
    assert (FIRST.is_public, PRIVATE.is_public) == (True, False)


async def test_a_tenant_has_its_own_oldest_first_and_no_more_than_it_may(pair: Pair) -> None:
    one, other = pair
    stranger = replace(FIRST, id="c-3", tenant="b")
    for classifier in (FIRST, PRIVATE, stranger):
        assert await one.add(classifier, WEIGHTS, 2)
    assert not await other.add(replace(FIRST, id="c-4"), WEIGHTS, 2)
    assert await other.find("c-4") is None
    assert list(await other.owned("a")) == [PRIVATE, FIRST]
    assert list(await other.owned("b")) == [stranger]
    assert list(await other.owned("nobody")) == []
    assert await other.remove(FIRST)
    assert await other.add(replace(FIRST, id="c-4"), WEIGHTS, 2)


async def test_of_several_who_add_the_last_one_only_as_many_as_may_succeed(pair: Pair) -> None:
    one, other = pair
    added = [worker.add(replace(FIRST, id=f"c-{at}"), b"", 3) for at, worker in enumerate((one, other) * 5)]
    assert sum(await asyncio.gather(*added)) == 3
    assert len(await one.owned("a")) == 3


async def test_an_id_belongs_to_one_tenant(pair: Pair) -> None:
    one, other = pair
    assert await one.add(FIRST, WEIGHTS, 2)
    with pytest.raises(StoreError):
        await other.add(replace(FIRST, tenant="b"), b"", 2)
    assert await other.find("c-1") == FIRST


async def test_a_change_is_made_once_for_each_version(pair: Pair) -> None:
    one, other = pair
    await one.add(FIRST, WEIGHTS, 2)
    changed = replace(FIRST, labels=(*FIRST.labels, "new"), revision="m@2", updated=200)
    assert await one.change(changed, b"more") is Change.DONE
    assert await other.change(changed, b"lost") is Change.STALE
    expected = replace(changed, version=2, trainings=2)
    assert await other.load(FIRST) == (expected, b"more")
    assert await other.change(replace(expected, updated=300), b"last") is Change.DONE
    assert await one.change(replace(FIRST, id="c-9"), b"") is Change.GONE
    assert await one.find("c-9") is None


async def test_what_is_removed_is_gone_for_all_and_stays_gone(pair: Pair) -> None:
    one, other = pair
    await one.add(FIRST, WEIGHTS, 2)
    assert await other.find("c-1") == FIRST
    assert await one.remove(FIRST)
    assert not await other.remove(FIRST)
    await other.use(FIRST, 400)
    assert await other.change(FIRST, b"") is Change.GONE
    assert (await other.find("c-1"), await other.load(FIRST)) == (None, None)


async def test_uses_are_counted(pair: Pair) -> None:
    one, other = pair
    await one.add(FIRST, WEIGHTS, 2)
    for at, worker in ((150, one), (160, other)):
        await worker.use(FIRST, at)
    assert await one.find("c-1") == replace(FIRST, uses=2, used=160)


async def test_one_at_a_time_holds_the_lock(pair: Pair) -> None:
    one, other = pair
    assert sum(await asyncio.gather(*(worker.lock(FIRST, f"t{at}", 60) for at, worker in enumerate(pair * 5)))) == 1
    assert await other.lock(PRIVATE, "t", 60)
    assert not await one.lock(FIRST, "other", 60)
    await one.unlock(FIRST, "other")
    assert not await one.lock(FIRST, "other", 60)
    await one.unlock(FIRST, "t0")
    assert await other.lock(FIRST, "other", 60)


async def test_a_lock_ends_by_itself_unless_its_holder_renews_it(pair: Pair) -> None:
    one, other = pair
    assert await one.lock(FIRST, "dead", 0.02)
    while not await other.lock(FIRST, "next", 60):  # noqa: ASYNC110 - only asking tells that it has ended
        await asyncio.sleep(0)
    await one.renew(FIRST, "dead", 60)
    await one.unlock(FIRST, "dead")
    assert not await one.lock(FIRST, "third", 60)


async def test_a_renewed_lock_lasts_longer_and_a_record_for_ever(store_client: Client) -> None:
    tasks = TaskGroup()
    classifiers = RedisClassifiers(Line(store_client, tasks, 5.0), KEYS)
    await classifiers.add(FIRST, WEIGHTS, 1)
    assert await classifiers.lock(FIRST, "mine", 20)
    name = KEYS.classifier_lock("a", "c-1")
    await classifiers.renew(FIRST, "another's", 60)
    assert await store_client.pttl(name) <= 20_000
    await classifiers.renew(FIRST, "mine", 60)
    assert await store_client.pttl(name) > 50_000
    kept = (KEYS.classifiers("a"), KEYS.classifier("a", "c-1"), KEYS.classifier_owner("c-1"))
    assert [await store_client.ttl(key) for key in kept] == [-1, -1, -1]
    assert await classifiers.remove(FIRST)
    await classifiers.use(FIRST, 5)
    await classifiers.unlock(FIRST, "mine")
    assert not await store_client.keys("gw:*"), "nothing is left"
    await tasks.drain(5.0)


async def test_a_damaged_record_is_a_failure_of_the_store(store_client: Client) -> None:
    tasks = TaskGroup()
    classifiers = RedisClassifiers(Line(store_client, tasks, 5.0), KEYS)
    await classifiers.add(FIRST, WEIGHTS, 1)
    await store_client.hset(KEYS.classifier("a", "c-1"), "state", "{")
    with pytest.raises(StoreError):
        await classifiers.find("c-1")
    await tasks.drain(5.0)


async def test_a_store_that_is_down_says_so() -> None:
    fake = FakeClassifiers(lambda: 0.0)
    fake.down = True
    client = connect("unix:///nowhere/s", 0.5)
    tasks = TaskGroup()
    for store in (fake, RedisClassifiers(Line(client, tasks, 0.5), KEYS)):
        for asked in (store.find("c"), store.owned("a"), store.add(FIRST, b"", 1), store.change(FIRST, b"")):
            with pytest.raises(StoreError):
                await asked
    await tasks.drain(1.0)
    await client.aclose()
