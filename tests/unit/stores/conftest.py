"""E: a line to a real store, and one to a server that never answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.stores.redis.client import Line, connect
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis


@pytest.fixture
async def line(store_url: str) -> AsyncIterator[Line]:
    """One connection only, so that whatever a command leaves behind meets the next one."""
    client, tasks = connect(store_url, 5.0, connections=1), TaskGroup()
    await client.flushall()
    yield Line(client, tasks, 5.0)
    await tasks.drain(5.0)
    await client.aclose()


@pytest.fixture
async def silent() -> AsyncIterator[Redis]:
    """A server that takes commands and never answers."""
    taken = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    client = connect(f"redis://{host}:{port}", 0.05)
    yield client
    await client.aclose()
    server.close()
    await server.wait_closed()
