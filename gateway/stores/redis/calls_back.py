"""E: hears on a channel which meters' idle amounts other workers want."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.stores.redis.client import store_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys

PAUSE = 0.2
"""Seconds before a lost connection is made again; what was called back meanwhile is given back at the next turn."""

LONGEST_SILENCE = 3_600.0


async def hear(client: Client, keys: Keys, heard: Callable[[str], Awaitable[None]]) -> None:
    """Tell `heard` every subject that is called back, until cancelled; a store that is away is tried again.

    redis-py loses a cancellation that comes while it closes a broken connection, so it is looked for here, too.
    """
    while not _cancelled():
        try:
            with store_errors():
                await _listen(client, keys, heard)
        except StoreError:
            await asyncio.sleep(PAUSE)
    raise asyncio.CancelledError


async def _listen(client: Client, keys: Keys, heard: Callable[[str], Awaitable[None]]) -> None:
    await client.initialize()  # a cluster's client must know its nodes first
    async with client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(keys.calls_back)
        while not _cancelled():
            message = await channel.get_message(timeout=LONGEST_SILENCE)
            if message is not None and isinstance(message["data"], bytes):
                await heard(message["data"].decode())


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
