"""C: what `gateway backup` reads and `gateway restore` writes, on each kind of real store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.stores.redis.backup import Backup

if TYPE_CHECKING:
    from gateway.stores.redis.archive import Kept
    from gateway.stores.redis.client import Client

STATE = [
    ("SET", "gw:secret", "s" * 40),
    ("HSET", "gw:{a}:usage:5", "requests", "3"),
    ("HSET", "gw:{b}:usage:5", "requests", "4"),
    ("SADD", "gw:usage-tenants", "a", "b"),
    ("ZADD", "gw:{jobs}:all", "1", "one"),
    ("XADD", "gw:{accounts}:audit", "1-1", "who", "me"),
    ("SET", "gw:{jobs}:record:one", "x", "PX", "60000"),
    ("SET", "gw:{jobs}:record:two", "x", "PX", "9000"),
]
OTHERS = [("SET", "gw:c:address", "entry"), ("HSET", "gw:{a}:holds", "w", "1"), ("SET", "else:secret", "theirs")]


async def ask(client: Client, *words: str) -> Any:
    return await client.execute_command(*words)


async def all_of(backup: Backup) -> list[Kept]:
    return [kept async for records in backup.records() for kept in records]


async def test_state_comes_back_under_another_prefix_and_nothing_else_does(store_client: Client) -> None:
    for command in (*STATE, *OTHERS):
        await ask(store_client, *command)
    kept = await all_of(Backup(store_client, "gw"))
    assert sorted(f"gw:{each.name}" for each in kept) == sorted(command[1] for command in STATE)
    other = Backup(store_client, "new")
    assert await other.there() == 0
    assert await other.write(kept, 10_000) == 7
    assert await other.there() == 7
    assert await ask(store_client, "GET", "new:secret") == b"s" * 40
    assert await ask(store_client, "HGET", "new:{b}:usage:5", "requests") == b"4"
    assert 40_000 < await ask(store_client, "PTTL", "new:{jobs}:record:one") <= 50_000
    assert await ask(store_client, "PTTL", "new:secret") == -1
    assert await ask(store_client, "EXISTS", "new:{jobs}:record:two") == 0


async def test_what_was_there_is_written_over(store_client: Client) -> None:
    await ask(store_client, "SET", "gw:secret", "old")
    backup = Backup(store_client, "gw")
    kept = await all_of(backup)
    await ask(store_client, "SET", "gw:secret", "new")
    await backup.write(kept, 0)
    assert await ask(store_client, "GET", "gw:secret") == b"old"


async def test_the_time_is_the_stores(store_client: Client) -> None:
    backup = Backup(store_client, "gw")
    assert 0 <= await backup.now_ms() - await backup.now_ms() + 1_000 <= 1_000
