"""E: what all gateways on one store know: the shared secret and the API keys that were issued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.stores.redis.client import store_errors

if TYPE_CHECKING:
    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys

SECRET_BYTES = 32


async def ensure_secret(client: Client, keys: Keys, fresh: bytes) -> bytes:
    """The secret in the store; the first gateway to ask puts `fresh` (32 random bytes) there. It never expires.

    Raises:
        StoreError: the store failed, or holds something else under that name.
        ValueError: `fresh` does not have 32 bytes.
    """
    if len(fresh) != SECRET_BYTES:
        raise ValueError(f"the secret needs {SECRET_BYTES} bytes, got {len(fresh)}")
    with store_errors():
        await client.set(keys.secret, fresh, nx=True)
        stored = await client.get(keys.secret)
    if not isinstance(stored, bytes) or len(stored) != SECRET_BYTES:
        raise StoreError("the shared secret is damaged")
    return stored


async def add_issued_key(client: Client, keys: Keys, digest: bytes, tenant: str, key_id: str) -> None:
    """Remember an issued key by its digest (authenticate.digest); the key itself is not stored. Raises StoreError."""
    with store_errors():
        await client.hset(keys.issued, digest, json.dumps([tenant, key_id]).encode())


async def issued_keys(client: Client, keys: Keys) -> dict[bytes, tuple[str, str]]:
    """Digest → tenant and key id of every issued key. Raises StoreError."""
    with store_errors():
        stored = await client.hgetall(keys.issued)
    try:
        return {digest: _owner(value) for digest, value in stored.items() if isinstance(digest, bytes)}
    except ValueError:
        raise StoreError("the key directory is damaged") from None


def _owner(value: bytes | str) -> tuple[str, str]:
    tenant, key_id = json.loads(value)
    return str(tenant), str(key_id)
