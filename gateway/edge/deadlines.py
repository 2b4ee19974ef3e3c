"""E: connections that are too slow, idle or too many are closed, by one look at all of them now and then."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Protocol, cast

from gateway.edge.operations import SAFE
from gateway.edge.patience import Seen, Verdict, Watch
from gateway.edge.unread import has_unread
from gateway.errors import input_timeout, service_unavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import web

    from gateway.edge.patience import Patience
    from gateway.errors import GatewayError

_ACKNOWLEDGED = struct.Struct("@120xQ")
"""Where Linux says in TCP_INFO how many bytes the peer has acknowledged (linux/tcp.h, tcpi_bytes_acked)."""


CLOSED = ("late", "idle", "stuck", "too_many")
"""Why a connection was closed from here: its head did not come, it asked nothing, its answer was not taken, no room."""

_REASONS = {408: "Request Timeout", 503: "Service Unavailable"}


class Watched(Protocol):
    """What a connection must have: `stirred` is set whenever bytes come, `watch` is ours.

    `repeats` counts requests that were answered without aiohttp's loop, which counts its own; `ongoing` is one that
    will be.
    """

    ongoing: object

    repeats: int
    stirred: bool
    watch: Watch | None


class Deadlines:
    """One server's. It costs a call nothing but `stirred`: progress is seen by comparing two looks."""

    def __init__(self, server: web.Server, patience: Patience, answer: Callable[[GatewayError], bytes]) -> None:
        """`answer` is a whole answer on the wire, `Connection: close` in it."""
        self._server = server
        self._answer = answer
        self._patience = patience
        self._looking = False
        self.closed = dict.fromkeys(CLOSED, 0)

    def admit(self, connection: web.RequestHandler) -> None:
        """A connection was accepted; one too many is told so and closed."""
        loop = connection._loop  # noqa: SLF001 - aiohttp has no other way to it
        cast("Watched", connection).watch = Watch(loop.time())
        if len(self._server.connections) > self._patience.connections:
            error = service_unavailable("Too many connections; try again later")
            self.closed["too_many"] += 1
            self._last_word(connection, error)
        elif not self._looking:
            self._looking = True
            loop.call_later(self._patience.tick, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        connections = list(self._server._connections.items())  # noqa: SLF001 - `connections` is without transports
        self._looking = bool(connections)
        now = loop.time()
        for connection, transport in connections:
            watch = cast("Watched", connection).watch
            if watch is not None:
                self._judge(connection, transport, watch.look(_seen(connection, transport), now, self._patience))
        if self._looking:
            loop.call_later(self._patience.tick, self._look, loop)

    def _judge(self, connection: web.RequestHandler, transport: asyncio.Transport, verdict: Verdict) -> None:
        if verdict is Verdict.LATE and is_quiet(connection):
            self.closed["late"] += 1
            self._last_word(connection, input_timeout(self._patience.receive))
        elif verdict is Verdict.IDLE and is_quiet(connection):
            self.closed["idle"] += 1
            connection.force_close()
        elif verdict is Verdict.STUCK:
            self.closed["stuck"] += 1
            transport.abort()

    def _last_word(self, connection: web.RequestHandler, error: GatewayError) -> None:
        """Answer what is no request, then drop what still comes for a moment: a reset would take the answer along."""
        transport = connection.transport
        if transport is None:
            return
        transport.write(self._answer(error))
        if transport.can_write_eof():
            transport.write_eof()
        connection.close()
        cast("Watched", connection).watch = None
        connection._loop.call_later(self._patience.tick, connection.force_close)  # noqa: SLF001 - as above


def raw_answer(status: int, body: bytes, identifier: str) -> bytes:
    """An answer to a connection that has no request, after which it is closed."""
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in SAFE.items()),
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {identifier}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "\r\n")).encode() + body


def is_waiting(connection: web.RequestHandler) -> bool:
    """Whether no request of it is being answered, or is about to be."""
    # Private names of aiohttp: it has a keep-alive timer of its own, and nothing to ask about the rest.
    waiter = connection._waiter  # noqa: SLF001 - see above
    if waiter is None or waiter.done() or connection._messages:  # noqa: SLF001 - see above
        return False
    return cast("Watched", connection).ongoing is None


def is_quiet(connection: web.RequestHandler) -> bool:
    """Whether it may be closed: nothing is asked, and no bytes lie in the system that a busy loop has not read yet."""
    transport = connection.transport
    return transport is not None and is_waiting(connection) and not has_unread(transport)


def _seen(connection: web.RequestHandler, transport: asyncio.Transport) -> Seen:
    watched = cast("Watched", connection)
    stirred, watched.stirred = watched.stirred, False
    unsent = transport.get_write_buffer_size()
    return Seen(
        waiting=is_waiting(connection),
        count=connection._request_count + watched.repeats,  # noqa: SLF001 - aiohttp has no other way to it
        stirred=stirred,
        unsent=unsent,
        taken=_acknowledged(transport) if unsent else None,
    )


def _acknowledged(transport: asyncio.Transport) -> int | None:
    """Bytes that the client has acknowledged; None where the system does not tell."""
    peer = transport.get_extra_info("socket")
    if peer is None or not hasattr(socket, "TCP_INFO") or peer.family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    try:
        told = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
    except OSError:
        return None
    return int(_ACKNOWLEDGED.unpack(told)[0]) if len(told) == _ACKNOWLEDGED.size else None
