from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.accounts import FakeAccounts

from gateway.clock import SystemClock
from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant
from gateway.errors import StoreError
from gateway.ports import AccountEdit, AuditEntry
from gateway.stores.redis.accounts import RedisAccounts
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup
from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import AccountStore

KEYS = Keys("gw")
TENANT = RuntimeTenant(tier="tier1", org="o", cache_scope=CacheScope.TENANT, enabled=False)
KEY = RuntimeKey(tenant="a", name="ci", digest="0f" * 32, created=5, expires=9, revoked=7)


@pytest.fixture(params=["fake", "valkey", "redis", "cluster"])
async def accounts(request: pytest.FixtureRequest) -> AsyncIterator[AccountStore]:
    if request.param == "fake":
        yield FakeAccounts()
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    tasks = TaskGroup()
    yield RedisAccounts(Line(client, tasks, 5.0), KEYS, SystemClock())
    await tasks.drain(5.0)
    await client.aclose()


def entry(number: int) -> AuditEntry:
    return AuditEntry(number, "cli:root", "tenant created", 'a"b', {"tier": "tier1"})


async def test_before_the_first_change_there_is_nothing(accounts: AccountStore) -> None:
    assert await accounts.version() == ""
    assert await accounts.load() == ("", Accounts())
    assert await accounts.audit("", 10) == []


async def test_what_was_changed_is_loaded_and_the_version_with_it(accounts: AccountStore) -> None:
    assert await accounts.change("", [AccountEdit("a", "tenant", TENANT), AccountEdit("k", "key", KEY)], entry(1))
    version, found = await accounts.load()
    assert found == Accounts({"a": TENANT}, {"k": KEY})
    assert version == await accounts.version() != ""
    assert await accounts.change(version, [AccountEdit("a", "tenant", None)], entry(2))
    later, found = await accounts.load()
    assert found == Accounts({}, {"k": KEY})
    assert later not in {version, ""}


async def test_who_read_an_older_version_changes_and_logs_nothing(accounts: AccountStore) -> None:
    assert await accounts.change("", [AccountEdit("a", "tenant", TENANT)], entry(1))
    version, found = await accounts.load()
    for stale in ("", "x"):
        assert not await accounts.change(stale, [AccountEdit("a", "tenant", None)], entry(2))
    assert await accounts.load() == (version, found)
    assert len(await accounts.audit("", 10)) == 1


async def test_the_log_is_paged_from_the_newest_on(accounts: AccountStore) -> None:
    for number in range(5):
        assert await accounts.change(await accounts.version(), [], entry(number))
    first = await accounts.audit("", 2)
    assert [found for _, found in first] == [entry(4), entry(3)]
    second = await accounts.audit(first[-1][0], 10)
    assert [found.at for _, found in second] == [2, 1, 0]
    assert await accounts.audit(second[-1][0], 10) == []


async def test_a_record_that_cannot_be_read_is_nobody(valkey_url: str) -> None:
    client = connect(valkey_url, 5.0)
    await client.flushall()
    tasks = TaskGroup()
    store = RedisAccounts(Line(client, tasks, 5.0), KEYS, SystemClock())
    assert await store.change("", [AccountEdit("k", "key", KEY)], entry(1))
    await client.hset(KEYS.accounts[2], "damaged", "{}")
    await client.hset(KEYS.accounts[1], b"\xff", "no json")
    assert (await store.load())[1] == Accounts({}, {"k": KEY})
    await client.xadd(KEYS.accounts[3], {"entry": "no json"})
    with pytest.raises(StoreError):
        await store.audit("", 10)
    await tasks.drain(5.0)
    await client.aclose()
