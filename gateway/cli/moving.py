"""E: a cache to a file and back, off the event loop."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from gateway.stores.redis.inventory import Inventory
from gateway.stores.redis.transfer import START, end, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys

IMPORTED_AT_ONCE = 64


async def send(client: Client, keys: Keys, out: BinaryIO, moved: Callable[[int], None]) -> int:
    """Write all entries to `out`; how many. Raises StoreError, OSError."""
    count = 0
    await asyncio.to_thread(out.write, START)
    async for records in Inventory(client, keys, moved).records():
        await asyncio.to_thread(out.write, packed(records))
        count += len(records)
    await asyncio.to_thread(out.write, end(count))
    return count


async def take(client: Client, keys: Keys, stream: BinaryIO, moved: Callable[[int], None]) -> tuple[int, int]:
    """Store what is not stored yet; entries read and stored. Raises StoreError, TransferError, OSError."""
    read = added = 0
    records = unpacked(stream)
    inventory = Inventory(client, keys, moved)
    while batch := await asyncio.to_thread(list, islice(records, IMPORTED_AT_ONCE)):
        added += await inventory.restore(batch)
        read += len(batch)
    return read, added
