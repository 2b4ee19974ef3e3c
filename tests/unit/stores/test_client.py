from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.running_gateway import until

from gateway.errors import StoreError
from gateway.ports import Amounts, Spend, Statement
from gateway.stores.redis.cache import CHUNK, RedisAnswers
from gateway.stores.redis.calls_back import hear
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, ItemKey, Limits, Meter, Scope, Shape

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEYS = Keys("gw")
METER = Meter("t", Scope.TENANT, Limits(10, 10, 10))


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_cancelled_command_leaves_no_reply_for_the_next_one(line: Line, turns: int) -> None:
    await line.client.set("a", "1")
    await line.client.set("b", "2")
    connection = await line.client.client_id()
    asking = asyncio.ensure_future(line.ask("GET", "a"))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    assert await line.ask("GET", "b") == b"2"
    assert await line.ask("GET", "a") == b"1"
    assert await line.client.client_id() == connection


def needs(number: int, tokens: int = 1, released: int = 0, holder: str = "a") -> Statement:
    amounts = Amounts(0, tokens, 0)
    return Statement(METER, holder, number, Amounts(0, released, 0), least=amounts, needed=amounts, wanted=amounts)


async def test_a_cancelled_statement_still_arrives_and_may_be_said_again(line: Line) -> None:
    quota = RedisQuota(line, KEYS, 15)
    await quota.ping()
    asking = asyncio.ensure_future(quota.exchange(needs(1)))
    for _ in range(3):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await quota.exchange(needs(1))).used == Amounts(0, 1, 0)


async def test_scripts_are_loaded_again_after_the_server_forgot_them(line: Line) -> None:
    quota = RedisQuota(line, KEYS, 15)
    assert (await quota.exchange(needs(1))).used == Amounts(0, 1, 0)
    await line.client.script_flush()
    assert (await quota.exchange(needs(2, 2, released=1))).used == Amounts(0, 2, 0)


async def test_the_servers_own_clock_is_used(line: Line) -> None:
    quota = RedisQuota(line, KEYS, 15)
    grant = await quota.exchange(needs(1))
    seconds = (await line.client.time())[0]
    assert isinstance(seconds, int)
    assert grant.now == pytest.approx(seconds, abs=2)


async def test_quota_keys_never_expire_and_those_of_addresses_do(line: Line) -> None:
    quota = RedisQuota(line, KEYS, 15)
    address = replace(METER, subject="ip:192.0.2.1", expires=True)
    for meter in (METER, address):
        await quota.exchange(replace(needs(1), meter=meter))
        await quota.exchange(Statement(meter, "a", 2, spent=(Spend(2**40, 1, 1),)))
    names, expiring = KEYS.quota(METER.subject), KEYS.quota(address.subject)
    assert [await line.client.ttl(name) for name in names] == [-1] * 4
    assert all([60 < await line.client.ttl(name) <= 130 for name in expiring])
    await quota.hit("192.0.2.1", 5)
    assert 60 < await line.client.ttl(KEYS.hits("192.0.2.1")) <= 62


async def test_what_holders_leave_behind_is_pruned(line: Line) -> None:
    clock = FakeClock()
    quota = RedisQuota(line, KEYS, 15, clock.milliseconds)
    for number in range(100):
        await quota.exchange(replace(needs(1), holder=f"h{number}"))
    for _ in range(8):
        clock.now += 700
        await quota.exchange(Statement(METER, "last", 1))
        await quota.exchange(Statement(METER, "last", 2, leaves=True))
    assert await line.client.exists(*KEYS.quota(METER.subject)) == 0


async def test_a_clock_that_was_far_ahead_does_not_block_for_hours(line: Line) -> None:
    clock = FakeClock(start=100_000)
    quota = RedisQuota(line, KEYS, 15, clock.milliseconds)
    await quota.exchange(Statement(METER, "a", 1, spent=(Spend(100_000, 0, 10),)))
    clock.now = 1_000
    assert (await quota.exchange(needs(1, holder="b"))).short_of == "tokens"
    clock.now += 61
    assert (await quota.exchange(needs(2, holder="b"))).short_of is None


async def test_a_clock_set_back_a_little_forgets_nothing(line: Line) -> None:
    clock = FakeClock()
    quota = RedisQuota(line, KEYS, 15, clock.milliseconds)
    await quota.exchange(Statement(METER, "a", 1, spent=(Spend(1_000, 0, 6),)))
    clock.now -= 30
    assert (await quota.exchange(Statement(METER, "a", 2, spent=(Spend(970, 0, 4),)))).used.tokens == 10
    clock.now += 62 + 30
    assert (await quota.exchange(Statement(METER, "a", 3))).used.tokens == 0


async def test_subjects_that_are_called_back_are_heard_and_a_lost_connection_is_made_again(
    line: Line, store_url: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    client = connect(store_url, 0.2)
    listening = asyncio.ensure_future(hear(client, KEYS, heard.put))
    try:
        for subject in ("t:search", "t:shop"):
            while heard.empty() or heard.get_nowait() != subject:
                await line.ask("PUBLISH", KEYS.calls_back, subject)
                await asyncio.sleep(0.01)
            await line.ask("CLIENT", "KILL", "TYPE", "pubsub")
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await client.aclose()


async def test_a_server_that_does_not_answer_is_a_store_error(silent: Redis) -> None:
    tasks = TaskGroup()
    quota = RedisQuota(Line(silent, tasks, 0.05), KEYS, 15)
    with pytest.raises(StoreError):
        await quota.ping()
    with pytest.raises(StoreError):
        await quota.exchange(needs(1))
    await tasks.drain(5.0)


@pytest.mark.parametrize("url", ["unix:///nonexistent/socket", "redis://127.0.0.1:1"])
async def test_a_store_that_is_not_there(url: str) -> None:
    client, tasks, observer = connect(url, 0.5), TaskGroup(), FakeObserver()
    line = Line(client, tasks, 0.5)
    quota, answers = RedisQuota(line, KEYS, 15), RedisAnswers(line, KEYS, 60, FakeClock(), observer)
    for question in (quota.ping(), quota.exchange(needs(1)), quota.register("w", 15.0)):
        with pytest.raises(StoreError):
            await question
    key = ItemKey(bytes(16), bytes(16))
    await answers.put([(key, Answer(Shape.SCORE, bytes(8), 0, 1))] * (CHUNK + 1))
    assert await answers.get([key] * (CHUNK + 1)) == [None] * (CHUNK + 1)
    assert observer.store_failures == ["cache", "cache"]
    await tasks.drain(5.0)
    await client.aclose()


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 90), (0.5, 100), (1.0, 110)])
async def test_entries_expire_a_tenth_apart(line: Line, chance: float, seconds: int) -> None:
    answers = RedisAnswers(line, KEYS, 100, FakeClock(chance=chance), FakeObserver())
    await answers.put([(ItemKey(b"k" * 16, b"p"), Answer(Shape.SCORE, bytes(8), 0, 1))])
    assert await line.client.ttl(KEYS.answer(b"k" * 16)) == pytest.approx(seconds, abs=1)


async def test_a_damaged_or_foreign_entry_is_a_miss(line: Line) -> None:
    observer = FakeObserver()
    answers = RedisAnswers(line, KEYS, 100, FakeClock(), observer)
    await line.client.set(KEYS.answer(b"k" * 16), b"damaged")
    await line.client.hset(KEYS.answer(b"h" * 16).decode(), "a", "b")
    assert await answers.get([ItemKey(b"k" * 16, b"p"), ItemKey(b"h" * 16, b"p")]) == [None, None]
    assert observer.store_failures == []


async def test_who_hears_of_the_first_failure_leaves_no_complaint_about_the_others(silent: Redis) -> None:
    """A put of 64 answers beside a store that rests once left 63 lines in the log."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told["message"]))
    tasks = TaskGroup()
    line = Line(silent, tasks, 0.05, rest_seconds=60.0)
    for _ in range(2):
        first, *_others = [line.queue("GET", name) for name in (b"a", b"b", b"c")]
        with pytest.raises(StoreError):
            await first
        del first, _others
    gc.collect()
    assert line.resting
    assert not complaints
    await tasks.drain(5.0)


async def test_after_no_answer_nothing_is_asked_for_a_while_and_then_again(silent: Redis) -> None:
    tasks = TaskGroup()
    line = Line(silent, tasks, 0.05, rest_seconds=1.0)

    async def failure() -> str:
        with pytest.raises(StoreError) as raised:
            await line.ask("PING")
        return str(raised.value)

    assert await failure() != "skipped"
    assert await failure() == "skipped"

    async def asked() -> bool:
        return await failure() != "skipped"

    await until(asked)
    await tasks.drain(5.0)
