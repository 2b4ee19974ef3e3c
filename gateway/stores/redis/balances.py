"""E: what was added to tenants' balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from gateway.stores.redis.client import store_errors

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.stores.redis.keys import Keys

Unit: TypeAlias = Literal["tokens", "nanos"]


async def topped_up(client: Redis, keys: Keys, tenant: str, unit: Unit) -> int:
    """What was added so far, in tokens or nano-dollars. Raises StoreError."""
    with store_errors():
        found = await client.hget(keys.topped_up(tenant), unit)
    return int(found or 0)


async def top_up(client: Redis, keys: Keys, tenant: str, unit: Unit, amount: int) -> int:
    """Add to a balance; what was added so far, with this. After a StoreError it may have been added: look first."""
    with store_errors():
        return int(await client.hincrby(keys.topped_up(tenant), unit, amount))
