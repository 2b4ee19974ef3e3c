from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock
from fakes.gateway import SECRET, configured, snapshot_of
from fakes.observer import FakeObserver

from gateway.administration.administrator import Administrator
from gateway.administration.follower import POLL_SECONDS, Follower
from gateway.authenticate import digest
from gateway.config.accounts import RuntimeTenant
from gateway.config.schema import Tenant

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot

WHO = "cli:root"


class World:
    def __init__(self) -> None:
        self.store, self.clock, self.observer = FakeAccounts(), FakeClock(), FakeObserver()
        self.base = snapshot_of(configured())
        self.seen: list[Snapshot] = []
        self.follower = Follower(self.store, self.clock, self.observer, self.base, self.seen.append)
        self._drawn = 0
        self.desk = Administrator(self.store, lambda: self.base.config, SECRET, self.clock, self.entropy)

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count)

    def knows(self, key: str) -> bool:
        return digest(key, SECRET) in self.seen[-1].directory


@pytest.fixture
def world() -> World:
    return World()


async def test_a_change_is_in_force_one_poll_later(world: World) -> None:
    await world.follower.look()
    running = asyncio.create_task(world.follower.run())
    made = await world.desk.create_key(WHO, "search", "ci", None)
    assert not world.knows(made.key)
    await world.clock.advance(POLL_SECONDS)
    assert world.knows(made.key)
    await world.desk.revoke_key(WHO, made.id)
    await world.clock.advance(POLL_SECONDS)
    assert not world.knows(made.key)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_nothing_is_loaded_while_nothing_changes(world: World) -> None:
    for _ in range(5):
        await world.follower.look()
    assert world.store.loads == len(world.seen) == 1
    await world.desk.create_tenant(WHO, "a", RuntimeTenant())
    loads = world.store.loads
    for _ in range(5):
        await world.follower.look()
    assert (world.store.loads - loads, len(world.seen)) == (1, 2)


async def test_a_store_that_is_down_changes_nothing_and_is_counted_once_an_outage(world: World) -> None:
    made = await world.desk.create_key(WHO, "search", "ci", None)
    await world.follower.look()
    for _ in range(2):
        world.store.down = True
        for _ in range(3):
            await world.follower.look()
        assert world.knows(made.key)
        world.store.down = False
        await world.follower.look()
    assert world.observer.store_failures == ["accounts", "accounts"]
    await world.desk.revoke_key(WHO, made.id)
    await world.follower.look()
    assert not world.knows(made.key)


async def test_a_snapshot_that_was_taken_stays_as_it_was(world: World) -> None:
    await world.follower.look()
    taken = world.seen[-1]
    made = await world.desk.create_key(WHO, "search", "ci", None)
    await world.follower.look()
    assert digest(made.key, SECRET) not in taken.directory
    assert world.seen[-1] is not taken


async def test_another_configuration_keeps_the_keys_of_the_store(world: World) -> None:
    made = await world.desk.create_key(WHO, "search", "ci", None)
    await world.follower.look()
    world.follower.rebase(snapshot_of(configured(tenants={"search": Tenant(tier="tier2")})))
    assert world.seen[-1].directory[digest(made.key, SECRET)].tier == "tier2"
    world.follower.rebase(snapshot_of(configured(tenants={})))
    assert not world.knows(made.key)
