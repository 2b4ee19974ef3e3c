from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes.accounts import FakeAccounts
from fakes.clock import FakeClock

from gateway.administration.administrator import Administrator
from gateway.administration.changes import KEPT_SECONDS
from gateway.authenticate import KEY_LENGTH, authenticate, digest
from gateway.config.accounts import RuntimeTenant, TenantChanges
from gateway.config.compile import compile_snapshot, with_accounts
from gateway.config.parse import parse
from gateway.errors import Code, GatewayError
from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.vocabulary import Caller

SECRET = b"s" * 32
CONFIG = parse("tiers: {own: {rpm: 7}}\ntenants: {file: {tier: tier1, keys: [key-of-file]}}", "f", {})
WHO = "cli:root"


class World:
    def __init__(self) -> None:
        self.store = FakeAccounts()
        self.clock = FakeClock()
        self._drawn = 0
        self.desk = Administrator(self.store, lambda: CONFIG, SECRET, self.clock, self.entropy)

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count)

    async def caller(self, key: str) -> Caller | None:
        """Who a worker takes the key for now."""
        base = compile_snapshot(CONFIG, secret=SECRET, digest=digest)
        snapshot = with_accounts(base, await self.desk.accounts())
        try:
            return authenticate(f"Bearer {key}", snapshot.directory, SECRET, self.clock.epoch())
        except GatewayError:
            return None


@pytest.fixture
def world() -> World:
    return World()


async def test_a_key_is_its_tenants_and_only_its_digest_is_kept(world: World) -> None:
    await world.desk.create_tenant(WHO, "a", RuntimeTenant(tier="own", org="o", cache_scope=CacheScope.TENANT))
    made = await world.desk.create_key(WHO, "a", "ci", None)
    assert len(made.key) == KEY_LENGTH
    assert made.key not in repr(made)
    caller = await world.caller(made.key)
    assert caller is not None
    assert (caller.tenant, caller.org, caller.tier, caller.limits.requests) == ("a", "o", "own", 7)
    assert (caller.cache_scope, caller.key_id) == (CacheScope.TENANT, made.id)
    proof = digest(made.key, SECRET).hex()
    assert world.store.keys[made.id].digest == proof
    assert made.key not in str(world.store.log)
    assert proof not in str(world.store.log)


async def test_a_key_for_a_tenant_of_the_file_has_its_limits(world: World) -> None:
    made = await world.desk.create_key(WHO, "file", "ci", None)
    caller = await world.caller(made.key)
    assert caller is not None
    assert (caller.tenant, caller.tier) == ("file", "tier1")


async def test_a_disabled_tenants_keys_are_refused_until_it_is_enabled(world: World) -> None:
    await world.desk.create_tenant(WHO, "a", RuntimeTenant())
    made = await world.desk.create_key(WHO, "a", "ci", None)
    await world.desk.update_tenant(WHO, "a", TenantChanges(enabled=False))
    assert await world.caller(made.key) is None
    await world.desk.update_tenant(WHO, "a", TenantChanges(enabled=True, tier="tier2", cache_scope=None))
    caller = await world.caller(made.key)
    assert caller is not None
    assert caller.tier == "tier2"


async def test_a_deleted_tenant_takes_its_keys_along(world: World) -> None:
    await world.desk.create_tenant(WHO, "a", RuntimeTenant())
    made = await world.desk.create_key(WHO, "a", "ci", None)
    kept = await world.desk.create_key(WHO, "file", "ci", None)
    await world.desk.delete_tenant(WHO, "a")
    assert await world.caller(made.key) is None
    assert list(world.store.keys) == [kept.id]
    await world.desk.create_tenant(WHO, "a", RuntimeTenant())
    assert await world.caller(made.key) is None


async def test_a_rotated_key_lives_for_the_grace_time(world: World) -> None:
    old = await world.desk.create_key(WHO, "file", "ci", None)
    new = await world.desk.rotate_key(WHO, old.id, 60)
    world.clock.now += 59
    assert await world.caller(old.key)
    world.clock.now += 1
    assert await world.caller(old.key) is None
    caller = await world.caller(new.key)
    assert caller is not None
    assert (caller.tenant, world.store.keys[new.id].name) == ("file", "ci")
    with pytest.raises(GatewayError, match="has ended"):
        await world.desk.rotate_key(WHO, old.id, 60)


async def test_rotation_keeps_the_length_of_life_and_never_prolongs_the_old_key(world: World) -> None:
    old = await world.desk.create_key(WHO, "file", "ci", 1_100)
    world.clock.now += 50
    new = await world.desk.rotate_key(WHO, old.id, 10_000)
    assert world.store.keys[old.id].expires == 1_100
    assert world.store.keys[new.id].expires == 1_150


async def test_a_revoked_key_is_refused_and_stays_revoked(world: World) -> None:
    made = await world.desk.create_key(WHO, "file", "ci", None)
    await world.desk.revoke_key(WHO, made.id)
    assert await world.caller(made.key) is None
    revoked, logged = world.store.keys[made.id], len(world.store.log)
    world.clock.now += 5
    await world.desk.revoke_key(WHO, made.id)
    assert (world.store.keys[made.id], len(world.store.log)) == (revoked, logged)


async def test_keys_that_ended_long_ago_are_taken_out(world: World) -> None:
    made = [await world.desk.create_key(WHO, "file", "ci", None) for _ in range(3)]
    await world.desk.revoke_key(WHO, made[0].id)
    world.clock.now += KEPT_SECONDS
    await world.desk.revoke_key(WHO, made[1].id)
    world.clock.now += 1
    fresh = await world.desk.create_key(WHO, "file", "ci", None)
    assert set(world.store.keys) == {made[1].id, made[2].id, fresh.id}


@pytest.mark.parametrize(
    ("ask", "code", "said"),
    [
        (lambda desk: desk.create_tenant(WHO, "file", RuntimeTenant()), Code.INPUT_INVALID, "configuration"),
        (lambda desk: desk.create_tenant(WHO, "dev", RuntimeTenant()), Code.INPUT_INVALID, "configuration"),
        (lambda desk: desk.create_tenant(WHO, "there", RuntimeTenant()), Code.INPUT_INVALID, "exists"),
        (lambda desk: desk.create_tenant(WHO, "b", RuntimeTenant(tier="teir1")), Code.INPUT_INVALID, "`tier1`"),
        (lambda desk: desk.update_tenant(WHO, "there", TenantChanges(tier="x")), Code.INPUT_INVALID, "tier"),
        (lambda desk: desk.update_tenant(WHO, "file", TenantChanges()), Code.INPUT_INVALID, "configuration"),
        (lambda desk: desk.update_tenant(WHO, "none", TenantChanges()), Code.RESOURCE_NOT_FOUND, "none"),
        (lambda desk: desk.delete_tenant(WHO, "none"), Code.RESOURCE_NOT_FOUND, "none"),
        (lambda desk: desk.create_key(WHO, "none", "ci", None), Code.RESOURCE_NOT_FOUND, "none"),
        (lambda desk: desk.create_key(WHO, "file", "ci", 1_000), Code.INPUT_INVALID, "past"),
        (lambda desk: desk.rotate_key(WHO, "none", 1), Code.RESOURCE_NOT_FOUND, "none"),
        (lambda desk: desk.revoke_key(WHO, "none"), Code.RESOURCE_NOT_FOUND, "none"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_sentence_and_not_logged(
    world: World, ask: Callable[[Administrator], Awaitable[Any]], code: Code, said: str
) -> None:
    await world.desk.create_tenant(WHO, "there", RuntimeTenant())
    with pytest.raises(GatewayError, match=said) as raised:
        await ask(world.desk)
    assert raised.value.code is code
    assert len(world.store.log) == 1


async def test_who_came_second_decides_anew(world: World) -> None:
    def quicker() -> None:
        world.store.tenants["a"] = RuntimeTenant()
        world.store.log.append(world.store.log[0])

    await world.desk.create_tenant(WHO, "b", RuntimeTenant())
    world.store.interrupt = quicker
    with pytest.raises(GatewayError, match="exists"):
        await world.desk.create_tenant(WHO, "a", RuntimeTenant())


async def test_a_store_that_always_changes_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(world.store, "change", never)
    with pytest.raises(GatewayError) as raised:
        await world.desk.create_tenant(WHO, "a", RuntimeTenant())
    assert raised.value.code is Code.CONFLICT_RESOURCE_BUSY


async def test_every_change_is_logged_with_who_and_when(world: World) -> None:
    await world.desk.create_tenant(WHO, "a", RuntimeTenant(tier="own"))
    made = await world.desk.create_key("admin:192.0.2.1", "a", "ci", 2_000)
    world.clock.now += 1
    new = await world.desk.rotate_key(WHO, made.id, 60)
    await world.desk.revoke_key(WHO, made.id)
    await world.desk.update_tenant(WHO, "a", TenantChanges(enabled=False))
    await world.desk.delete_tenant(WHO, "a")
    told = [(entry.at, entry.who, entry.what, entry.target) for _, entry in await world.desk.audit("", 10)]
    assert told == [
        (1_001, WHO, "tenant deleted", "a"),
        (1_001, WHO, "tenant changed", "a"),
        (1_001, WHO, "key revoked", made.id),
        (1_001, WHO, "key rotated", made.id),
        (1_000, "admin:192.0.2.1", "key created", made.id),
        (1_000, WHO, "tenant created", "a"),
    ]
    rotated = world.store.log[2].details
    assert rotated == {"tenant": "a", "name": "ci", "new": new.id, "grace": "60"}
    assert world.store.log[0].details == {"tier": "own"}
