from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from fakes.gateway import configured
from fakes.served import Served, serving

from gateway.config.schema import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest.fixture
def server_settings() -> Server:
    return Server(body_limit=100_000)


@pytest.fixture
async def served(server_settings: Server) -> AsyncIterator[Served]:
    async with serving(configured(server=server_settings)) as made:
        yield made


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def raw(served: Served) -> Callable[[bytes], bytes]:
    """Bytes in, bytes out, for what no HTTP client would send."""

    def exchange(request: bytes) -> bytes:
        with socket.create_connection(served.address, timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        return answer

    return exchange
