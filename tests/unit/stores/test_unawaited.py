from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.running_gateway import until

from gateway.errors import StoreError
from gateway.stores.redis.cache import CHUNK, FEW, RedisAnswers
from gateway.stores.redis.claims import RedisClaims
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.entry import CLAIMED
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, ItemKey, Shape

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEYS = Keys("gw")


async def test_what_is_let_go_after_the_server_forgot_the_script_is_let_go(line: Line) -> None:
    claims, key = RedisClaims(line, KEYS, 10), ItemKey(b"k" * 16, b"p")
    await line.client.script_flush()

    async def free() -> bool:
        return not await line.client.exists(KEYS.answer(key.address))

    for _ in range(2):
        assert await claims.claim([key], "a") == [True]
        assert claims.let_go([key], "a")
        await until(free)


@pytest.mark.parametrize("waited", [False, True])
async def test_what_a_store_that_was_away_did_not_hear_of_is_given_back_later(
    line: Line, silent: Redis, *, waited: bool
) -> None:
    tasks, key, other = TaskGroup(), ItemKey(b"k" * 16, b"p"), ItemKey(b"o" * 16, b"p")
    claims = RedisClaims(line, KEYS, 600)
    assert await claims.claim([key], "a") == [True]
    claims._line = Line(silent, tasks, 0.05, rest_seconds=60.0)
    if waited:
        with pytest.raises(StoreError):
            await claims.release([key], "a")
    else:
        assert claims.let_go([key], "a")
    await until(lambda: asyncio.sleep(0, bool(claims._owed)))
    claims._line = line
    assert await line.client.exists(KEYS.answer(key.address))
    assert await claims.claim([other], "a") == [True]

    async def free() -> bool:
        return not await line.client.exists(KEYS.answer(key.address))

    await until(free)
    assert not claims._owed
    await tasks.drain(5.0)


async def held_up(line: Line) -> None:
    """The connection of what is ordered waits for a moment; the others do not."""
    line.send(("BLPOP", "nothing", "0.05"), lambda _: None, ordered=True)
    await asyncio.sleep(0)


async def test_what_is_given_back_after_its_answer_was_stored_stays_stored_however_slow_that_is(line: Line) -> None:
    claims, key = RedisClaims(line, KEYS, 10), ItemKey(b"k" * 16, b"p")
    answers, kept = RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver()), Answer(Shape.SCORE, bytes(8), 0, 1)
    assert await claims.claim([key], "a") == [True]
    await held_up(line)
    assert answers.keep([(key, kept)])
    await asyncio.sleep(0)
    assert claims.let_go([key], "a")

    async def stored() -> bool:
        return await line.client.getrange(KEYS.answer(key.address), 0, 0) not in {b"", CLAIMED}

    assert not await stored()
    await until(stored)
    await claims.renew([key], "a")
    assert await claims.claim([key], "b") == [kept]
    assert await line.client.pttl(KEYS.answer(key.address)) > 10_000


async def test_a_claim_is_not_given_back_before_it_was_made_however_slow_that_is(line: Line) -> None:
    claims, key = RedisClaims(line, KEYS, 10), ItemKey(b"k" * 16, b"p")
    await held_up(line)
    claiming = asyncio.ensure_future(claims.claim([key], "a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    claiming.cancel()
    assert claims.let_go([key], "a")
    await asyncio.gather(claiming, return_exceptions=True)
    assert await claims.claim([key], "b") == [True]


async def test_what_nobody_waits_for_is_done_before_the_end(line: Line, store_url: str) -> None:
    client = connect(store_url, 5.0)
    last = Line(client, TaskGroup(), 5.0)
    key, kept = ItemKey(b"k" * 16, b"p"), Answer(Shape.SCORE, bytes(8), 0, 1)
    claims, answers = RedisClaims(last, KEYS, 10), RedisAnswers(last, KEYS, 60, FakeClock(), FakeObserver())
    assert await claims.claim([key], "a") == [True]
    assert answers.keep([(key, kept)])
    assert claims.let_go([key], "a")
    await client.aclose()
    assert await RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver()).get([key]) == [kept]


async def test_what_the_store_does_not_keep_is_told_once_an_entry_and_nobody_fails(silent: Redis) -> None:
    tasks, observer = TaskGroup(), FakeObserver()
    line = Line(silent, tasks, 0.05, rest_seconds=60.0)
    answers, claims = RedisAnswers(line, KEYS, 60, FakeClock(), observer), RedisClaims(line, KEYS, 10)
    key, kept = ItemKey(bytes(16), b"p"), Answer(Shape.SCORE, bytes(8), 0, 1)
    assert answers.keep([(key, kept)])
    assert claims.let_go([key], "a")
    assert not answers.keep([(key, kept)] * (FEW + 1))
    await until(lambda: asyncio.sleep(0, observer.store_failures == ["cache"]))
    assert answers.keep([(key, kept)])
    await until(lambda: asyncio.sleep(0, observer.store_failures == ["cache"] * 2))
    await tasks.drain(5.0)


@pytest.mark.parametrize("count", [1, 2, FEW + CHUNK])
async def test_what_a_store_that_was_away_did_not_take_is_offered_again_when_it_answers(
    line: Line, silent: Redis, count: int
) -> None:
    tasks, observer = TaskGroup(), FakeObserver()
    answers, claims = RedisAnswers(line, KEYS, 60, FakeClock(), observer), RedisClaims(line, KEYS, 600)
    keys = [ItemKey(number.to_bytes(16, "big"), b"p") for number in range(count)]
    kept = Answer(Shape.SCORE, bytes(8), 0, 1)
    assert await claims.claim(keys, "a") == [True] * count
    answers._line = Line(silent, tasks, 0.05, rest_seconds=60.0)
    if not answers.keep([(key, kept) for key in keys]):
        await answers.put([(key, kept) for key in keys])
    await until(lambda: asyncio.sleep(0, observer.store_failures == ["cache"]))
    assert await answers.get(keys[:1]) == [None]
    answers._line = line
    assert await claims.claim(keys, "b") == [False] * count
    assert await answers.get(keys[:1]) == [None]

    async def stored() -> bool:
        return await claims.claim(keys, "b") == [kept] * count

    await until(stored)
    assert not answers._owed
    await tasks.drain(5.0)


async def test_what_the_store_does_not_take_twice_is_dropped_and_nobody_waits_for_it(line: Line) -> None:
    answers, claims = RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver()), RedisClaims(line, KEYS, 600)
    asked = [ItemKey(number.to_bytes(16, "big"), b"p") for number in range(3)]
    assert await claims.claim(asked, "a") == [True] * 3
    await answers.put([(asked[2], Answer(Shape.SCORE, bytes(8), 0, 1))])
    await line.client.config_set("maxmemory", "1")
    try:
        assert answers.keep([(key, Answer(Shape.SCORE, bytes(8), 0, 1)) for key in asked])
        await until(lambda: asyncio.sleep(0, bool(answers._owed)))
        assert await answers.get(asked[:2]) == [None, None]
        await until(lambda: _holds(line, asked[2:]))
    finally:
        await line.client.config_set("maxmemory", "0")
    assert not answers._owed
    assert await claims.claim(asked[:2], "b") == [True, True]


async def _holds(line: Line, keys: list[ItemKey]) -> bool:
    """Whether nothing else is in the cache."""
    return set(await line.client.keys("gw:c:*")) == {KEYS.answer(key.address) for key in keys}


def fetched(answers: RedisAnswers, *keys: ItemKey) -> asyncio.Future[list[Answer | None]]:
    """What comes of a call of fetch; a second answer to it would be an error."""
    told: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
    answers.fetch(keys, told.set_result)
    return told


async def test_what_several_ask_for_in_one_turn_goes_out_in_one_command(line: Line) -> None:
    answers = RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver())
    keys = [ItemKey(number.to_bytes(16, "big"), b"p") for number in range(70)]
    kept = Answer(Shape.SCORE, bytes(8), 0, 1)
    await answers.put([(key, kept) for key in keys])
    before = await mgets(line)
    asked = [fetched(answers, key) for key in keys]
    assert [await one for one in asked] == [[kept]] * 70
    assert await mgets(line) == before + 2
    assert await fetched(answers, keys[0]) == [kept]
    assert await mgets(line) == before + 3


async def mgets(line: Line) -> int:
    """How many MGETs the server has done."""
    stats = await line.ask("INFO", "commandstats")
    return int(stats.get("cmdstat_mget", {"calls": 0})["calls"])


async def test_one_that_cannot_take_its_answer_leaves_the_others_theirs(line: Line) -> None:
    answers = RedisAnswers(line, KEYS, 60, FakeClock(), FakeObserver())
    mishaps: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: mishaps.append(context["exception"]))

    def refuse(_: object) -> None:
        raise ValueError

    answers.fetch([ItemKey(bytes(16), b"p")], refuse)
    assert await fetched(answers, ItemKey(bytes(16), b"p")) == [None]
    assert await answers.get([ItemKey(bytes(16), b"p")]) == [None]
    assert [type(mishap) for mishap in mishaps] == [ValueError]


async def test_who_is_called_back_is_told_of_a_store_that_fails_or_rests_as_of_an_empty_one(silent: Redis) -> None:
    tasks, observer = TaskGroup(), FakeObserver()
    answers = RedisAnswers(Line(silent, tasks, 0.05, rest_seconds=60.0), KEYS, 60, FakeClock(), observer)
    one, many = [ItemKey(bytes(16), b"p")], [ItemKey(bytes(16), b"p")] * (CHUNK + 1)
    first = [fetched(answers, *keys) for keys in (one, many, one)]
    assert [await told for told in first] == [[None], [None] * (CHUNK + 1), [None]]
    assert observer.store_failures == ["cache"] * 3
    for _ in range(2):
        resting = [fetched(answers, *one) for _ in range(2)]
        assert [told.done() for told in resting] == [False, False]
        assert [await told for told in resting] == [[None], [None]]
    assert observer.store_failures == ["cache"] * 7
    await tasks.drain(5.0)
