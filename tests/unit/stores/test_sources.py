from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fakes.clock import FakeClock
from fakes.running_gateway import until

from gateway.stores.redis.client import Line
from gateway.stores.redis.inventory import Inventory
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.sources import LOOK_SECONDS, TELL_SECONDS, RedisSources
from gateway.stores.redis.transfer import Record
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.stores.redis.client import Client

KEYS = Keys("gw")


async def looked(sources: RedisSources, clock: FakeClock) -> bool:
    """What it says after another look."""
    clock.now += LOOK_SECONDS
    sources.may_exist(clock.monotonic())
    await sources._line.ask("ECHO", "after")
    await sources._line.queue("ECHO", "after", ordered=True)
    return sources.may_exist(clock.monotonic())


async def test_where_nobody_made_any_there_are_none_until_another_process_does(line: Line) -> None:
    clock = FakeClock()
    here, there = RedisSources(line, KEYS, 60, clock), RedisSources(line, KEYS, 60, clock)
    assert here.may_exist(clock.monotonic())
    assert not await looked(here, clock)
    there.made()
    await line.queue("ECHO", "after", ordered=True)
    assert not here.may_exist(clock.monotonic())
    assert await looked(here, clock)


async def test_it_looks_once_a_second_and_tells_once_in_ten(line: Line) -> None:
    clock = FakeClock()
    sources = RedisSources(line, KEYS, 60, clock)
    await line.client.config_resetstat()
    for times in (1, 2):
        for _ in range(3):
            sources.may_exist(clock.monotonic())
            sources.made()
        await line.queue("ECHO", "after", ordered=True)
        await line.ask("ECHO", "after")
        stats = await line.ask("INFO", "commandstats")
        assert [stats[f"cmdstat_{name}"]["calls"] for name in ("exists", "pexpire")] == [times, times]
        clock.now += TELL_SECONDS


async def test_the_mark_lives_longer_than_what_was_made_and_is_not_cut_short(line: Line) -> None:
    sources = RedisSources(line, KEYS, 60, FakeClock())
    sources.made()
    await line.queue("ECHO", "after", ordered=True)
    assert await line.client.pttl(KEYS.sources) > 66_000
    await line.client.pexpire(KEYS.sources, 900_000)
    RedisSources(line, KEYS, 60, FakeClock()).made()
    await line.queue("ECHO", "after", ordered=True)
    assert await line.client.pttl(KEYS.sources) > 800_000


async def test_a_store_that_does_not_say_may_have_some_and_is_told_again(line: Line, silent: Redis) -> None:
    clock, tasks = FakeClock(), TaskGroup()
    sources = RedisSources(line, KEYS, 60, clock)
    assert not await looked(sources, clock)
    sources._line = Line(silent, tasks, 0.05)
    clock.now += LOOK_SECONDS
    sources.may_exist(clock.monotonic())
    await until(lambda: asyncio.sleep(0, sources._exist))
    sources.made()
    await until(lambda: asyncio.sleep(0, sources._tell_at < 0))
    sources._line = line
    sources.made()
    await line.queue("ECHO", "after", ordered=True)
    assert await line.client.exists(KEYS.sources)
    await tasks.drain(5.0)


async def test_what_is_copied_into_a_store_may_have_some(store_client: Client) -> None:
    await Inventory(store_client, KEYS).restore([Record(bytes(16), 90_000, b"entry"), Record(b"b" * 16, 50_000, b"e")])
    assert await store_client.pttl(KEYS.sources) > 80_000
