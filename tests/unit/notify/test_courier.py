"""C: what happens to a notice after it was posted, on a virtual clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock, settled
from fakes.notices import FakeNotices, FakePost
from fakes.observer import FakeObserver

from gateway.config.parse import parse
from gateway.notify.addresses import AT_ONCE, OperatorAddresses
from gateway.notify.courier import LEASE_SECONDS, Courier
from gateway.notify.delivery import DELAYS
from gateway.ports import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.schema import Config

ONE = 'webhooks: [{url: "http://one/", secret: 0123456789abcdef01234567}]'


class Post:
    """One store, one receiver, some workers."""

    def __init__(self, workers: int = 1) -> None:
        self.clock = FakeClock(start=1_800_000_000.0, chance=0.0)
        self.notices = FakeNotices(self.clock.monotonic)
        self.receiver = FakePost()
        self.observer = FakeObserver()
        self.config = parse(ONE, "f", {})
        self.couriers = [self._courier() for _ in range(workers)]
        self.tasks: list[asyncio.Task[None]] = []

    def _courier(self) -> Courier:
        return Courier(self.notices, self.receiver, OperatorAddresses(self._now), self.clock, self.observer)

    def _now(self) -> Config:
        return self.config

    async def tell(self, *names: str, address: str = "") -> None:
        known = address or self.config.webhooks[0].id
        assert await self.notices.post(" ".join(names), None, [Notice(name, known, "{}") for name in names])

    async def run(self, worker: int = 0) -> None:
        self.tasks.append(asyncio.create_task(self.couriers[worker].run()))
        await settled()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, _, headers in self.receiver.got]

    @property
    def dead(self) -> list[tuple[str, str]]:
        return [(letter.notice.id, letter.why) for letter in self.notices.letters]


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post(workers=2)
    yield made
    for task in made.tasks:
        task.cancel()


async def test_a_notice_goes_out_within_a_second_and_once_though_two_workers_look(post: Post) -> None:
    await post.run(0)
    await post.run(1)
    await post.tell("msg_1")
    await post.clock.advance(1.0)
    await post.clock.advance(100.0)
    assert post.ids == ["msg_1"]
    assert [(url, body) for url, body, _ in post.receiver.got] == [("http://one/", b"{}")]
    assert post.observer.notices == ["delivered"]
    assert (post.notices.kept, post.notices.letters) == ({}, [])


async def test_what_fails_is_sent_again_under_the_same_id_with_a_fresh_timestamp(post: Post) -> None:
    post.receiver.statuses.extend([500, 0, 302])
    await post.tell("msg_1")
    await post.run()
    await post.clock.advance(60.0)
    at = [int(headers["webhook-timestamp"]) - 1_800_000_000 for _, _, headers in post.receiver.got]
    assert post.ids == ["msg_1"] * 4
    assert at == [0, 1, 6, 36]
    assert len({headers["webhook-signature"] for _, _, headers in post.receiver.got}) == 4
    assert post.observer.notices == ["retried", "retried", "retried", "delivered"]


async def test_after_the_last_try_it_is_dead(post: Post) -> None:
    post.receiver.statuses.extend([503] * 20)
    await post.tell("msg_1")
    for wait in (0, *DELAYS):
        post.clock.now += wait
        assert await post.couriers[0].round() == 1
        assert await post.couriers[0].round() == 0
    assert post.ids == ["msg_1"] * (len(DELAYS) + 1)
    assert post.observer.notices == ["retried"] * len(DELAYS) + ["dead"]
    assert post.dead == [("msg_1", "tries")]


async def test_an_address_that_is_gone_gets_nothing_more_until_the_configuration_is_read_again(post: Post) -> None:
    post.receiver.statuses.append(410)
    await post.tell("msg_1")
    await post.run()
    await post.tell("msg_2")
    await post.clock.advance(2.0)
    assert post.ids == ["msg_1"]
    assert post.dead == [("msg_2", "gone"), ("msg_1", "gone")]
    assert post.observer.notices == ["dead", "dead"]
    post.config = parse(ONE, "f", {})
    assert await post.notices.revive() == 2
    await post.clock.advance(2.0)
    assert sorted(post.ids) == ["msg_1", "msg_1", "msg_2"]


async def test_one_that_hangs_up_does_not_keep_others_from_theirs(post: Post) -> None:
    names = [f"msg_{number:02}" for number in range(AT_ONCE + 3)]
    post.receiver.statuses.extend([500] * AT_ONCE)
    await post.tell(*names)
    await post.run()
    assert post.ids == names
    await post.clock.advance(3.0)
    assert sorted(post.ids) == sorted([*names, *names[:AT_ONCE]])


async def test_what_a_dead_worker_had_taken_goes_out_when_its_lease_ends(post: Post) -> None:
    await post.tell("msg_1")
    assert await post.notices.take(LEASE_SECONDS) is not None
    await post.run()
    await post.clock.advance(LEASE_SECONDS - 1)
    assert post.ids == []
    await post.clock.advance(2.0)
    assert post.ids == ["msg_1"]


async def test_an_address_of_another_gateway_waits_for_it(post: Post) -> None:
    await post.tell("msg_1", address="of-another")
    await post.run()
    await post.clock.advance(1.0)
    assert post.observer.notices[:1] == ["retried"]
    assert post.ids == []
    assert post.notices.kept.keys() == {"msg_1"}


async def test_without_addresses_the_store_is_left_alone(post: Post) -> None:
    await post.tell("msg_1")
    post.config = parse("", "f", {})
    post.notices.down = True
    await post.run()
    await post.clock.advance(10.0)
    assert post.observer.store_failures == []


async def test_a_store_that_goes_away_costs_a_repetition_at_worst(post: Post) -> None:
    await post.tell("msg_1")
    taken = await post.notices.take(LEASE_SECONDS)
    assert taken is not None
    post.notices.down = True
    await post.couriers[0]._deliver(taken)
    await post.run()
    assert set(post.observer.store_failures) == {"notices"}
    post.notices.down = False
    await post.clock.advance(LEASE_SECONDS + 1)
    assert post.ids == ["msg_1", "msg_1"]
    assert post.observer.notices == ["delivered"]
    with suppress(asyncio.CancelledError):
        post.tasks[0].cancel()
        await post.tasks[0]


@pytest.mark.parametrize("status", [204, 410, 500])
async def test_one_that_was_too_slow_counts_nothing_that_another_has_ended(post: Post, status: int) -> None:
    await post.tell("msg_1")
    taken = await post.notices.take(LEASE_SECONDS)
    assert taken is not None
    assert await post.notices.end(taken)
    post.receiver.statuses.append(status)
    await post.couriers[0]._deliver(taken)
    assert post.observer.notices == []
    assert (post.notices.due, post.notices.letters) == ({}, [])
