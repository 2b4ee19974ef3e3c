"""E: the connections to one address: kept while they are used, bounded in number, none of them shared by two calls."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from gateway.alarm import Alarm
from gateway.errors import TransportError
from gateway.http1.answer import Answer, TooLargeError
from gateway.http1.connection import Connection, LateError, LostError
from gateway.http1.head import BrokenError, request_head
from gateway.http1.origin import connect
from gateway.ports import RawReply

if TYPE_CHECKING:
    from gateway.http1.origin import Origin
    from gateway.ports import Exchange

IDLE_SECONDS = 15.0
_IDEMPOTENT = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})


class OddError(TransportError):
    """The answer is none that we read; another client may be more patient with whoever sends such."""


class Pool:
    """At most `limit` connections to `origin`; further calls wait for one, in order."""

    def __init__(self, origin: Origin, limit: int) -> None:
        self.origin = origin
        self._limit = limit
        self._open: set[Connection] = set()
        self._connecting = 0
        self._idle: list[Connection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._alarm = Alarm(self._open)

    async def send(self, exchange: Exchange, target: str, seconds: float, limit: int) -> RawReply:
        """One request to `target` (path and query) and its whole reply, of at most `limit` bytes.

        A connection that was kept may have ended meanwhile; where nothing came back, and asking twice does what asking
        once does, the call is sent once more over a new one. What may be billed is not.

        Raises:
            OddError: a reply that is none.
            TransportError: no connection, a broken reply, one over `limit`, or none within the time.
        """
        body, method = exchange.body, exchange.method
        head = request_head(method, target, self.origin.header, exchange.headers, len(body))
        until = asyncio.get_running_loop().time() + seconds
        while True:
            connection = self._kept() or await self._take(until)
            if until < self._alarm.rings:
                self._alarm.wind(until)
            fresh, answer = connection.used == 0, Answer(method, limit)
            try:
                await connection.ask(head, body, answer, until)
                return _reply(answer)
            except LostError:
                if fresh or answer.begun or method not in _IDEMPOTENT:
                    raise TransportError("the connection ended") from None
            except LateError:
                raise TransportError("no reply in time", timed_out=True) from None
            except TooLargeError:
                raise TransportError("the reply is too large") from None
            except BrokenError as error:
                raise OddError(str(error)) from None
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """End every connection."""
        for connection in tuple(self._open):
            connection.abort()
        self._idle.clear()
        self._alarm.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _kept(self) -> Connection | None:
        """A connection that nobody uses or waits for, as nearly always."""
        if self._waiting or not self._idle:
            return None
        connection = self._idle.pop()
        return connection if connection.open else None

    async def _take(self, until: float) -> Connection:
        waited = False
        while True:
            if self._waiting and not waited:
                pass  # others came first
            elif self._idle:
                connection = self._idle.pop()
                if connection.open:
                    return connection
                continue
            elif len(self._open) + self._connecting < self._limit:
                return await self._connect(until)
            await self._wait(until, first=waited)
            waited = True

    async def _connect(self, until: float) -> Connection:
        self._connecting += 1
        try:
            connection = await connect(self.origin, self._left, until)
        except BaseException:
            self._connecting -= 1
            self._wake()
            raise
        self._connecting -= 1
        self._open.add(connection)
        return connection

    async def _wait(self, until: float, *, first: bool) -> None:
        """Until there may be a connection for us; `first`: it was our turn, but there was none."""
        place = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)(place)
        try:
            async with asyncio.timeout_at(until):
                await place
        except TimeoutError:
            self._leave(place)
            raise TransportError("no connection was free in time", timed_out=True) from None
        except asyncio.CancelledError:
            self._leave(place)
            raise

    def _leave(self, place: asyncio.Future[None]) -> None:
        """Whoever waited goes away; a connection that was meant for it is the next one's."""
        if place in self._waiting:
            self._waiting.remove(place)
        else:
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return

    def _give_back(self, connection: Connection) -> None:
        if not connection.open:
            self._open.discard(connection)  # it ends in a moment, and serves nobody any more
        else:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(IDLE_SECONDS, self._sweep)
        if self._waiting:
            self._wake()

    def _left(self, connection: Connection) -> None:
        """A connection ended by itself."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._wake()

    def _sweep(self) -> None:
        """End what has been idle for long. The longest idle are first: the last that came back is taken first."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        while self._idle and self._idle[0].idle_since <= loop.time() - IDLE_SECONDS:
            self._idle.pop(0).abort()
        if self._idle:
            self._sweeper = loop.call_at(self._idle[0].idle_since + IDLE_SECONDS, self._sweep)


def _reply(answer: Answer) -> RawReply:
    head = answer.head
    if head is None:
        raise BrokenError("no head")
    return RawReply(head.status, head.headers, answer.body())
