"""E: the only outbound HTTP client: addresses from the config here, guarded ones from clients in gateway.fetch."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from gateway.errors import TransportError
from gateway.fetch import Fetcher
from gateway.http1.head import known
from gateway.http1.origin import CONNECT_SECONDS, Origin, origin_of
from gateway.http1.pool import OddError, Pool
from gateway.ports import RawReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.backends import Backend
    from gateway.guard import Networks
    from gateway.ports import Exchange

UNIX_PREFIX = "unix:"
REPLY_LIMIT = 536_870_912
"""Bytes of a reply that are read at most; 2,048 multi-vectors of 1,000 tokens are half of it."""

_ROUTES = 1_024
"""Paths of backends that are remembered as addresses."""

_POSTS = 32
"""Most notices posted at once."""


class Upstream:
    """ports.Transport: a connection pool a backend; no redirects, cookies or proxies from the environment.

    Calls go over gateway.http1. What that does not know goes over aiohttp's client: addresses of another form, requests
    with headers about the connection, and backends whose answers it could not read; so does all where not `lean`.
    Addresses come from the config; nothing a client sends can change where a request goes. What clients name is for
    `foreign`, which goes to public addresses and to `networks` only.
    """

    def __init__(self, backends: Mapping[str, Backend], networks: Networks = (), *, lean: bool = True) -> None:
        self.foreign = Fetcher(networks)
        self._backends = dict(backends)
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._poster: aiohttp.ClientSession | None = None
        self._lean = lean
        self._routes: dict[tuple[str, str], tuple[Origin, str] | None] = {}
        self._pools: dict[tuple[str, Origin], Pool] = {}
        self._odd: set[tuple[str, Origin]] = set()
        self._lines: dict[tuple[str, str], tuple[Pool, str]] = {}

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        """One request and its whole reply.

        Raises:
            TransportError: no connection, a broken reply, one over REPLY_LIMIT, or none within the time.
        """
        line = self._lines.get((backend, exchange.path)) or self._line(backend, exchange.path)
        if line is None or not known(exchange.headers):
            return await self._send_by_aiohttp(backend, self._backends[backend], exchange, timeout_seconds)
        pool, target = line
        try:
            return await pool.send(exchange, target, timeout_seconds, REPLY_LIMIT)
        except OddError:
            self._odd.add((backend, pool.origin))
            self._lines.clear()
            raise

    def _line(self, backend: str, path: str) -> tuple[Pool, str] | None:
        """The pool for a path of a backend, and the path there; None where gateway.http1 does not go."""
        settings = self._backends[backend]
        route = self._route(settings.url, path)
        if route is None or (backend, route[0]) in self._odd:
            return None
        origin, target = route
        pool = self._pools.get((backend, origin))
        if pool is None:
            pool = self._pools[backend, origin] = Pool(origin, settings.concurrency)
        if len(self._lines) >= _ROUTES:
            self._lines.clear()
        self._lines[backend, path] = pool, target
        return pool, target

    def _route(self, base: str, path: str) -> tuple[Origin, str] | None:
        """Where a path of a backend is; None where gateway.http1 does not go."""
        if not self._lean:
            return None
        try:
            return self._routes[base, path]
        except KeyError:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
        url = URL(address(base, path))
        origin = origin_of(url, base.removeprefix(UNIX_PREFIX) if base.startswith(UNIX_PREFIX) else "")
        route = None if origin is None else (origin, url.raw_path_qs)
        self._routes[base, path] = route
        return route

    async def _send_by_aiohttp(
        self, backend: str, settings: Backend, exchange: Exchange, timeout_seconds: float
    ) -> RawReply:
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(CONNECT_SECONDS, timeout_seconds))
        try:
            async with self._session(backend, settings).request(
                exchange.method,
                address(settings.url, exchange.path),
                data=exchange.body or None,
                headers=exchange.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return RawReply(response.status, headers, body)
        except aiohttp.ConnectionTimeoutError as error:
            raise TransportError("no connection in time", sent=False) from error
        except TimeoutError as error:
            raise TransportError("no reply in time", timed_out=True) from error
        except aiohttp.ClientConnectorError as error:
            raise TransportError("no connection", sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError(type(error).__name__) from error

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> int:
        """ports.Post: one POST to an address of the operator's, for notices.

        The address comes from the configuration, never from a client, so nothing has to guard what it resolves to: an
        operator may well name a private host. The reply's body is not read; its connection is closed.

        Raises:
            TransportError: no connection, a broken reply, or none within the time.
        """
        timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        if self._poster is None:
            self._poster = client(aiohttp.TCPConnector(limit=_POSTS, force_close=True))
        try:
            response = await self._poster.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False)
        except TimeoutError as error:
            raise TransportError("no reply in time", timed_out=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportError(type(error).__name__) from error
        response.close()
        return response.status

    def add(self, backends: Mapping[str, Backend]) -> None:
        """Know these backends, too. None is forgotten: requests that began before may still ask it."""
        self._backends |= backends
        self._lines.clear()

    def _session(self, name: str, settings: Backend) -> aiohttp.ClientSession:
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = client(_connector(settings))
        return session

    async def close(self) -> None:
        """Close every pool."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self._lines.clear()
        for session in (*self._sessions.values(), *([self._poster] if self._poster else [])):
            await session.close()
        await self.foreign.close()
        self._sessions.clear()
        self._poster = None


def client(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """A client that adds nothing of its own to a call."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": "gateway", "accept-encoding": "identity"},
        trust_env=False,
    )


def _connector(settings: Backend) -> aiohttp.BaseConnector:
    if settings.url.startswith(UNIX_PREFIX):
        return aiohttp.UnixConnector(settings.url.removeprefix(UNIX_PREFIX), limit=settings.concurrency)
    return aiohttp.TCPConnector(limit=settings.concurrency)


def address(base: str, path: str) -> str:
    """Where a path of a backend is. `https://host` and `https://host/v1` both work as the base of `/v1/…`.

    A query in the base (`?api-version=…`) goes along with every path.
    """
    if base.startswith(UNIX_PREFIX):
        return f"http://backend{path}"
    root, mark, query = base.partition("?")
    trimmed = root.rstrip("/")
    if path.startswith("/v1/"):
        trimmed = trimmed.removesuffix("/v1")
    return trimmed + path + mark + query


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body. Unlike joined chunks, what was read is never there twice: CPython hands out the buffer itself."""
    body = BytesIO()
    async for chunk in response.content.iter_any():
        body.write(chunk)
        if body.tell() > REPLY_LIMIT:
            raise TransportError("the reply is too large")
    return body.getvalue()
