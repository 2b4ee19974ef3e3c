from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.notices import FakeNotices

from gateway.ports import DeadNotice, Notice
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.notices import CLAIM_MS, DEAD_KEPT, JOB_CLAIM_MS, RedisNotices
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.ports import Notices

NOW = 1_800_000_000
ONE = Notice("msg_1", "abc", '{"type":"budget.spent","data":{"tenant":"ä b"}}')
TWO = Notice("msg_2", "def", "{}")
TENANTS = Notice("msg_3", "https://shop.example/?a=b", "{}", tenant="shop")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start=float(NOW))


@pytest.fixture(params=["fake", "valkey", "redis"])
async def notices(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Notices]:
    if request.param == "fake":
        yield FakeNotices(clock.monotonic)
        return
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0)
    await client.flushall()
    tasks = TaskGroup()
    yield RedisNotices(Line(client, tasks, 5.0), Keys("gw"), clock.milliseconds)
    await tasks.drain(5.0)
    await client.aclose()


async def test_an_occasion_is_claimed_once_and_its_notices_kept_once(notices: Notices) -> None:
    assert await notices.post("a month 0.8", NOW + 60, [ONE])
    assert not await notices.post("a month 0.8", NOW + 60, [TWO])
    assert await notices.post("a month 1", NOW + 60, [])
    assert await notices.take(30) == replace(ONE, tries=1)
    assert await notices.take(30) is None


@pytest.mark.parametrize(("ends", "kept"), [(NOW + 100, False), (None, True)])
async def test_a_claim_outlives_its_period_and_one_without_an_end_stays(
    notices: Notices, clock: FakeClock, ends: int | None, *, kept: bool
) -> None:
    assert await notices.post("claim", ends, [])
    clock.now += 100 + CLAIM_MS / 1_000
    assert not await notices.post("claim", ends, [])
    clock.now += 1
    assert await notices.post("claim", ends, []) is not kept


async def test_what_is_taken_is_nobody_elses_until_its_lease_ends(notices: Notices, clock: FakeClock) -> None:
    await notices.post("claim", None, [ONE])
    clock.now += 1
    await notices.post("another", None, [TWO])
    assert await notices.take(30) == replace(ONE, tries=1)
    assert await notices.take(30) == replace(TWO, tries=1)
    clock.now += 29
    assert await notices.take(30) is None
    clock.now += 1
    assert {(await notices.take(30)), (await notices.take(30))} == {replace(ONE, tries=2), replace(TWO, tries=2)}


async def test_what_is_put_off_is_due_later(notices: Notices, clock: FakeClock) -> None:
    await notices.post("claim", None, [ONE])
    taken = await notices.take(30)
    assert taken is not None
    assert await notices.put_off(taken, 2.5)
    clock.now += 2.4
    assert await notices.take(30) is None
    clock.now += 0.1
    assert await notices.take(30) == replace(ONE, tries=2)


async def test_what_is_delivered_is_ended_once_and_leaves_nothing(notices: Notices, clock: FakeClock) -> None:
    await notices.post("claim", None, [ONE])
    assert await notices.take(30) is not None
    assert await notices.end(ONE)
    assert not await notices.end(ONE)
    assert not await notices.end(ONE, "tries")
    assert not await notices.put_off(ONE, 1)
    clock.now += 60
    assert await notices.take(30) is None
    assert await notices.dead() == []


async def test_dead_notices_are_kept_newest_first_and_can_be_revived(notices: Notices, clock: FakeClock) -> None:
    await notices.post("claim", None, [ONE, TWO])
    for _ in range(2):
        await notices.take(0)
    await notices.end(TWO, "gone")
    clock.now += 7
    await notices.end(ONE, "tries")
    dead = await notices.dead()
    assert [(letter.notice.id, letter.at, letter.why) for letter in dead] == [
        ("msg_1", NOW + 7, "tries"),
        ("msg_2", NOW, "gone"),
    ]
    assert isinstance(dead[0], DeadNotice)
    assert dead[0].notice.tries + dead[1].notice.tries == 2
    assert await notices.revive() == 2
    assert await notices.dead() == []
    assert {(await notices.take(30)), (await notices.take(30))} == {replace(ONE, tries=1), replace(TWO, tries=1)}
    assert await notices.revive() == 0


async def test_whom_a_notice_is_for_is_kept_when_it_dies_and_is_revived(notices: Notices) -> None:
    await notices.post("claim", None, [TENANTS])
    assert await notices.take(30) == replace(TENANTS, tries=1)
    await notices.end(TENANTS, "tries")
    assert (await notices.dead())[0].notice == replace(TENANTS, tries=1)
    assert await notices.revive() == 1
    assert await notices.take(30) == replace(TENANTS, tries=1)


async def test_those_to_clients_are_apart_and_their_claims_forgotten_sooner(valkey_url: str, clock: FakeClock) -> None:
    client = connect(valkey_url, 5.0)
    await client.flushall()
    line = Line(client, TaskGroup(), 5.0)
    to_operator, to_clients = (
        RedisNotices(line, Keys("gw"), clock.milliseconds, of_jobs=of_jobs) for of_jobs in (False, True)
    )
    assert await to_clients.post("claim", NOW, [TENANTS])
    assert await to_operator.take(30) is None
    assert await to_operator.post("claim", NOW, [])
    clock.now += JOB_CLAIM_MS / 1_000
    assert not await to_clients.post("claim", NOW, [])
    clock.now += 1
    assert await to_clients.post("claim", NOW, [])
    assert not await to_operator.post("claim", NOW, [])
    await client.aclose()


async def test_a_notice_that_an_earlier_version_wrote_is_read(valkey_url: str) -> None:
    client = connect(valkey_url, 5.0)
    await client.flushall()
    due, records, *_ = Keys("gw").notices
    await client.hset(records, "msg_1", '["msg_1","abc","{}"]')
    await client.zadd(due, {"msg_1": 0})
    assert await RedisNotices(Line(client, TaskGroup(), 5.0), Keys("gw")).take(30) == Notice("msg_1", "abc", "{}", 1)
    await client.aclose()


async def test_only_the_last_dead_notices_are_kept(notices: Notices) -> None:
    many = [Notice(f"msg_{number}", "abc", "{}") for number in range(DEAD_KEPT + 2)]
    await notices.post("claim", None, many)
    for notice in many:
        assert await notices.end(notice, "gone")
    dead = await notices.dead()
    assert (len(dead), dead[0].notice.id) == (DEAD_KEPT, many[-1].id)
