"""Several commands asked for together: one answer, in their order, whatever became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.observer import FakeObserver

from gateway.errors import StoreError
from gateway.stores.redis.cache import CHUNK, ROLE, RedisAnswers
from gateway.stores.redis.claims import AT_ONCE, RedisClaims
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.failures import MissingScriptError
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, ItemKey, Shape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS = Keys("gw")


@pytest.fixture(params=["lean", "redis-py"])
async def line(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Line]:
    client, tasks = connect(store_url, 5.0), TaskGroup()
    if request.param == "redis-py":
        client.wires = None  # type: ignore[attr-defined] # a Store
    await client.flushall()
    yield Line(client, tasks, 5.0)
    await tasks.drain(5.0)
    await client.aclose()


def keys(count: int) -> list[ItemKey]:
    return [ItemKey(number.to_bytes(16, "little"), b"proof" + number.to_bytes(2, "little")) for number in range(count)]


async def test_replies_come_in_the_order_of_the_commands_with_errors_in_their_places(line: Line) -> None:
    await line.client.set("text", "word")
    mixed = await line.queue_all([("GET", "text"), ("INCR", "text"), ("EVALSHA", "0" * 40, 0), ("STRLEN", "text")])
    assert (mixed[0], mixed[3]) == (b"word", 4)
    assert type(mixed[1]) is StoreError
    assert type(mixed[2]) is MissingScriptError
    assert await line.queue_all([]) == []
    many = await line.queue_all([("ECHO", str(number)) for number in range(300)])
    assert many == [str(number).encode() for number in range(300)]


async def test_they_stand_in_line_with_what_is_asked_one_by_one(store_url: str) -> None:
    client, tasks = connect(store_url, 5.0), TaskGroup()
    line = Line(client, tasks, 5.0)
    before = line.queue("SET", "count", "1")
    several = line.queue_all([("INCR", "count"), ("INCR", "count")])
    after = line.queue("GET", "count")
    assert await several == [2, 3]
    assert (await before, await after) == (b"OK", b"3")
    await client.aclose()


async def test_who_goes_away_takes_no_reply_with_them(line: Line) -> None:
    gone = line.queue_all([("ECHO", "a"), ("ECHO", "b")])
    gone.cancel()
    assert await line.queue_all([("ECHO", "c"), ("ECHO", "d")]) == [b"c", b"d"]


async def test_a_store_that_is_not_there_fails_each_and_is_left_alone_for_a_while() -> None:
    client, tasks = connect("redis://127.0.0.1:1", 5.0), TaskGroup()
    line = Line(client, tasks, 5.0, rest_seconds=60.0)
    for _ in range(2):
        assert [type(reply) for reply in await line.queue_all([("GET", "a")] * 3)] == [StoreError] * 3
        assert line.resting
    observer = FakeObserver()
    answers = RedisAnswers(line, KEYS, 60, FakeClock(), observer)
    await answers.put([(key, Answer(Shape.SCORE, bytes(8), 0, 1)) for key in keys(2 * CHUNK)])
    assert observer.store_failures == [ROLE], "what is left of a list is not tried"
    with pytest.raises(StoreError):
        await RedisClaims(line, KEYS, 10).claim(keys(2), "token")
    await client.aclose()


async def test_claims_of_a_list_are_kept_and_ended_however_many_and_with_scripts_forgotten(line: Line) -> None:
    claims, asked = RedisClaims(line, KEYS, 10), keys(2 * AT_ONCE + 1)
    assert await claims.claim(asked, "ours") == [True] * len(asked)
    await line.client.set(KEYS.answer(asked[1].address), "theirs")
    await line.client.script_flush()
    await claims.renew(asked, "ours")
    await line.client.script_flush()
    await claims.release(asked, "ours")
    left = [await line.client.get(KEYS.answer(key.address)) for key in asked]
    assert left == [None, b"theirs", *[None] * (len(asked) - 2)]


async def test_an_answer_that_was_stored_meanwhile_is_given_and_its_claim_is_not_kept(line: Line) -> None:
    answers = RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver())
    asked, known = keys(3), Answer(Shape.SCORE, bytes(8), 0, 1)
    await answers.put([(asked[1], known)])
    assert await RedisClaims(line, KEYS, 10).claim(asked, "ours") == [True, known, True]
    assert await answers.get(asked) == [None, known, None]
