from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import StoreError
from gateway.stores.redis.client import connect
from gateway.stores.redis.directory import add_issued_key, ensure_secret, issued_keys
from gateway.stores.redis.keys import Keys

if TYPE_CHECKING:
    from gateway.stores.redis.client import Client

KEYS = Keys("gw")


async def test_the_first_secret_stays_and_never_expires(store_client: Client) -> None:
    assert await ensure_secret(store_client, KEYS, b"a" * 32) == b"a" * 32
    assert await ensure_secret(store_client, KEYS, b"b" * 32) == b"a" * 32
    assert await ensure_secret(store_client, Keys("other"), b"b" * 32) == b"b" * 32
    assert await store_client.ttl(KEYS.secret) == -1


async def test_a_damaged_secret_is_refused(store_client: Client) -> None:
    await store_client.set(KEYS.secret, b"short")
    with pytest.raises(StoreError):
        await ensure_secret(store_client, KEYS, b"a" * 32)
    with pytest.raises(ValueError, match="32"):
        await ensure_secret(store_client, KEYS, b"a")


async def test_issued_keys_are_known_by_digest(store_client: Client) -> None:
    assert await issued_keys(store_client, KEYS) == {}
    await add_issued_key(store_client, KEYS, b"\x00\xff" * 16, "dev", "k1")
    await add_issued_key(store_client, KEYS, b"d" * 32, 'ten"ant', "k2")
    assert await issued_keys(store_client, KEYS) == {b"\x00\xff" * 16: ("dev", "k1"), b"d" * 32: ('ten"ant', "k2")}
    await store_client.hset(KEYS.issued, b"e", b"no json")
    with pytest.raises(StoreError):
        await issued_keys(store_client, KEYS)


async def test_no_store_is_a_store_error() -> None:
    client = connect("unix:///nonexistent/socket", 0.5)
    with pytest.raises(StoreError):
        await ensure_secret(client, KEYS, b"a" * 32)
    with pytest.raises(StoreError):
        await issued_keys(client, KEYS)
    await client.aclose()
