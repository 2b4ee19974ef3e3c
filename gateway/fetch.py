"""E: outgoing HTTP to addresses that a client names: every peer is checked at the moment of connecting."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.errors import AddressError, TransportError
from gateway.guard import SCHEMES, check_peer, check_posted, check_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from aiohttp.abc import AbstractResolver
    from aiohttp.typedefs import LooseHeaders

    from gateway.guard import Networks

REDIRECTS = 3
_AT_ONCE = 32
_AT_ONCE_EACH = 4
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 10.0
_MOVED = frozenset({301, 302, 303, 307, 308})
_OK = 200
_PLAIN = {"user-agent": "gateway", "accept-encoding": "identity"}


class _ForbiddenPeerError(OSError):
    """The guard's refusal, as what happens to a connection: the next address of the host is tried."""


class Fetcher:
    """Gets from and posts to addresses that clients name (gateway.guard). One for a worker.

    A host is looked up once for a connection, and the socket is made for the very address that was checked, so a name
    that changes its address between two looks gains nothing. Connections are not kept. No cookies, no proxies of the
    environment, no keys; nothing is decompressed.
    """

    def __init__(self, networks: Networks = (), resolver: AbstractResolver | None = None) -> None:
        self._networks = networks
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, limit_bytes: int, seconds: float) -> bytes:
        """What is at an address, at most `limit_bytes`, within `seconds`.

        Raises:
            AddressError: it leads, or redirects, to where no client may send us.
            TransportError: no answer, one that is not 200, too large, or too late.
        """
        body = BytesIO()
        async with self.open(url, limit_bytes, seconds) as chunks:
            async for chunk in chunks:
                body.write(chunk)
        return body.getvalue()

    @asynccontextmanager
    async def open(self, url: str, limit_bytes: int, seconds: float) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """The same in chunks as they come; `seconds` go on while the block runs. Raises as `fetch`."""
        deadline = asyncio.get_running_loop().time() + seconds
        async with _mapped(deadline):
            response = await self._get(check_url(url, self._networks))
        try:
            yield _chunks(response, limit_bytes, deadline)
        finally:
            response.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> int:
        """ports.Post to an address that a client named: https, no redirects; the answer's status, its body unread.

        Raises:
            AddressError: it leads to where no client may send us, or, unless private networks are named, is not https.
            TransportError: no answer within `seconds`.
        """
        async with _mapped(asyncio.get_running_loop().time() + seconds):
            response = await self._request("POST", check_posted(url, self._networks), body, headers)
            response.close()
            return response.status

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _get(self, url: URL) -> aiohttp.ClientResponse:
        for _ in range(REDIRECTS + 1):
            response = await self._request("GET", url)
            if response.status not in _MOVED:
                return response
            response.close()
            url = self._next(url, response.headers.get(hdrs.LOCATION, ""))
        raise TransportError("too many redirects")

    def _next(self, url: URL, location: str) -> URL:
        """Where a redirect leads; what was asked for safely is not got from anywhere unsafe."""
        try:
            target = url.join(URL(location))
        except ValueError:
            raise TransportError("a redirect to no address") from None
        return check_url(str(target), self._networks, SCHEMES if url.scheme == "http" else frozenset({"https"}))

    async def _request(
        self, method: str, url: URL, body: bytes | None = None, headers: LooseHeaders | None = None
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._client()
        return await self._session.request(method, url, data=body, headers=headers, allow_redirects=False)

    def _client(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=_AT_ONCE,
            limit_per_host=_AT_ONCE_EACH,
            force_close=True,
            use_dns_cache=False,
            resolver=self._resolver,
            socket_factory=self._socket,
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_IDLE_SECONDS)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_PLAIN,
            timeout=timeout,
            trust_env=False,
            auto_decompress=False,
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address that was looked up, or written as a number; it is connected to nothing else."""
        family, kind, protocol, _, peer = info
        try:
            check_peer(str(peer[0]), int(peer[1]), self._networks)
        except AddressError as error:
            raise _ForbiddenPeerError(str(error)) from None
        return socket.socket(family, kind, protocol)


@asynccontextmanager
async def _mapped(deadline: float) -> AsyncGenerator[None, None]:
    """Failures as those two that callers know, none of which quotes what came back. `deadline`: the loop's time."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        raise TransportError("no answer in time", timed_out=True) from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _ForbiddenPeerError):
            raise AddressError(str(error.os_error)) from None
        raise TransportError("no connection", sent=False) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TransportError(type(error).__name__) from error


async def _chunks(response: aiohttp.ClientResponse, limit_bytes: int, deadline: float) -> AsyncIterator[bytes]:
    if response.status != _OK:
        raise TransportError(f"status {response.status}")
    if response.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise TransportError("the answer is compressed")
    left = limit_bytes - (response.content_length or 0)
    if left >= 0:
        left = limit_bytes
    while left >= 0:
        async with _mapped(deadline):
            chunk = await response.content.readany()
        if not chunk:
            return
        left -= len(chunk)
        if left >= 0:
            yield chunk
    raise TransportError("the answer is too large")
