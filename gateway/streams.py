"""E: outgoing calls whose answers are read while they come, to addresses of the configuration."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from gateway.errors import TransportError
from gateway.http1.origin import CONNECT_SECONDS
from gateway.upstream import UNIX_PREFIX, address, client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.ports import Exchange


class Streams:
    """ports.StreamingTransport over aiohttp: a pool an address; no redirects, cookies or proxies of the environment.

    How many run at once is the tenants' limits' and the backends' business, not the pool's.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def open(self, base: str, exchange: Exchange, timeout_seconds: float) -> OpenStream:
        """The answer's head.

        Raises:
            TransportError: no connection, or no head within the time.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT_SECONDS, timeout_seconds))
        with _transport_errors():
            async with asyncio.timeout(timeout_seconds):
                response = await self._session(base).request(
                    exchange.method,
                    # As it is: a path may hold a whole address, which is not ours to write differently.
                    URL(address(base, exchange.path), encoded=True),
                    data=exchange.body or None,
                    headers=exchange.headers,
                    timeout=timeout,
                    allow_redirects=False,
                )
        return OpenStream(response)

    async def close(self) -> None:
        """Close every pool."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, base: str) -> aiohttp.ClientSession:
        session = self._sessions.get(base)
        if session is None:
            unix = base.startswith(UNIX_PREFIX)
            connector: aiohttp.BaseConnector = (
                aiohttp.UnixConnector(base.removeprefix(UNIX_PREFIX), limit=0)
                if unix
                else aiohttp.TCPConnector(limit=0)
            )
            session = self._sessions[base] = client(connector)
        return session


class OpenStream:
    """ports.Stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def read(self, timeout_seconds: float) -> bytes:
        """What has come; empty at the end.

        Raises:
            TransportError: it broke off, or nothing came within the time.
        """
        with _transport_errors():
            async with asyncio.timeout(timeout_seconds):
                return await self._response.content.readany()

    def close(self) -> None:
        """Drop the connection, unless the answer has ended: then it serves another call."""
        self._response.close()


@contextmanager
def _transport_errors() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise TransportError("no connection in time", sent=False) from error
    except TimeoutError as error:
        raise TransportError("no answer in time", timed_out=True) from error
    except aiohttp.ClientConnectorError as error:
        raise TransportError("no connection", sent=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError(type(error).__name__) from error
