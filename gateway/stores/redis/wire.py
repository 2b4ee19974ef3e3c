"""E: a lean connection to a Redis server: commands go out in order, and so do their replies come, without a task each.

redis-py's pipelines take a task, a pool and objects for each batch, and a miss asks several. redis-py stays for
everything else: TLS, clusters, subscriptions, commands by hand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import Connection, UnixDomainSocketConnection
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis.asyncio import ConnectionPool

    from gateway.stores.redis.cluster import Command

    Answered = Callable[[Any], None]

MOST = 4
"""Connections of one client: a large reply on one does not hold up the commands on another."""

_NEVER = float("inf")
_NOTHING_YET = object()


class LostError(RedisError):
    """The connection ended, or could not be had."""


class LateError(RedisError):
    """The server did not answer in time."""


class Wire(asyncio.Protocol):
    """One connection, from its opening to its end; then it is `dead`, and what was not answered has failed.

    Such a command may or may not have been done. A server that has said nothing since a command that is
    `timeout_seconds` old is given up with everything that waits for it. One that is slow but talks keeps its
    connection; late commands fail alone.
    """

    def __init__(self, settings: Mapping[str, Any], timeout_seconds: float) -> None:
        self.dead = False
        self._settings = settings
        self._timeout = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._expected: deque[tuple[float, Answered]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = float("-inf")
        self._reader = hiredis.Reader(replyError=BaseParser.parse_error, notEnoughData=_NOTHING_YET)
        self._quiet: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._opening = asyncio.ensure_future(self._open())

    @property
    def load(self) -> int:
        """Replies that are waited for."""
        return len(self._expected)

    def send(self, commands: Sequence[Command], answered: Sequence[Answered]) -> None:
        """Send commands together; each has its own `answered`, called once with the reply or an exception."""
        packed = [_packed(command) for command in commands]
        due = self._loop.time() + self._timeout
        self._expected.extend([(due, each) for each in answered])
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)
        if self._transport is None:
            self._unsent += packed
        else:
            self._transport.writelines(packed)

    async def _open(self) -> None:
        path, host, port = (self._settings.get(name) for name in ("path", "host", "port"))
        try:
            async with asyncio.timeout(self._timeout):
                if path:
                    await self._loop.create_unix_connection(lambda: self, path)
                else:
                    await self._loop.create_connection(lambda: self, host or "localhost", port or 6379)
        except (OSError, TimeoutError) as error:
            self._end(LostError(type(error).__name__))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are, and send what waits."""
        opened = self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class
        greetings = _greetings(self._settings)
        due = self._loop.time() + self._timeout
        self._expected.extendleft([(due, self._greeted) for _ in greetings])
        unsent, self._unsent = self._unsent, []
        opened.writelines([*map(_packed, greetings), *unsent])

    def data_received(self, data: bytes) -> None:
        """Replies, or parts of them."""
        self._heard = self._loop.time()
        reader, expected = self._reader, self._expected
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING_YET and expected:
                expected.popleft()[1](reply)
            if self._quiet is not None and not expected:
                self._quieten()
        except hiredis.HiredisError as error:
            self._end(LostError(type(error).__name__))

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is gone."""
        self._end(LostError(type(exc).__name__ if exc else "EOFError"))
        self._ended.set_result(None)

    async def quiet(self) -> None:
        """Wait for what is being answered."""
        if self._expected:
            self._quiet = self._quiet or self._loop.create_future()
            await asyncio.shield(self._quiet)

    async def close(self) -> None:
        """End, once it is quiet."""
        await self.quiet()
        self._end(LostError("closed"))
        await asyncio.gather(self._opening, return_exceptions=True)
        if self._transport is not None:
            await self._ended

    def _greeted(self, reply: object) -> None:
        if isinstance(reply, Exception):
            self._end(reply)

    def _look(self) -> None:
        """Whether somebody waits too long; nobody does for one that failed already, but its reply still comes first."""
        self._timer, now = None, self._loop.time()
        late = [at for at, (due, _) in enumerate(self._expected) if due <= now]
        if late and self._heard < self._expected[late[0]][0] - self._timeout:
            self._end(LateError("no answer in time"))
            return
        for at in late:
            _, answered = self._expected[at]
            self._expected[at] = (_NEVER, _forget)
            answered(LateError("no answer in time"))
        if self._expected:
            due = min(due for due, _ in self._expected)
            self._timer = self._loop.call_at(now + self._timeout if due == _NEVER else due, self._look)

    def _end(self, error: Exception) -> None:
        """Be dead, and tell everybody; they may begin another connection."""
        if self.dead:
            return
        self.dead = True
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        elif self._opening is not asyncio.current_task(self._loop):
            self._opening.cancel()
        expected, self._expected = self._expected, deque()
        for _, answered in expected:
            answered(error)
        self._quieten()

    def _quieten(self) -> None:
        """Nothing is waited for any more."""
        quiet, self._quiet = self._quiet, None
        if quiet is not None:
            quiet.set_result(None)


class Wires:
    """The lean connections of a client, beside those of redis-py's pool."""

    def __init__(self, pool: ConnectionPool, timeout_seconds: float) -> None:
        self._settings = pool.connection_kwargs
        self._timeout = timeout_seconds
        self._wires: list[Wire] = []
        self._ordered: Wire | None = None
        self._closed = False

    @staticmethod
    def reach(pool: ConnectionPool) -> bool:
        """Whether the server is reached in a way that is known here: plain TCP, or a unix socket."""
        return pool.connection_class in {Connection, UnixDomainSocketConnection}

    def send(self, commands: Sequence[Command], answered: Sequence[Answered], *, ordered: bool = False) -> None:
        """Send commands together, by the connection that is least busy; see Wire.send.

        Those that are `ordered` all take one and the same, until it is dead with all that was not answered there.
        """
        if self._closed:
            for each in answered:
                each(LostError("closed"))
            return
        wire = self._ordered if ordered else None
        if wire is None or wire.dead:
            wire = self._least_busy()
        if ordered:
            self._ordered = wire
        wire.send(commands, answered)

    async def quiet(self) -> None:
        """Wait for what is being answered."""
        for wire in self._wires:
            await wire.quiet()

    def _least_busy(self) -> Wire:
        for wire in self._wires:
            if not wire.load and not wire.dead:
                return wire
        self._wires = [wire for wire in self._wires if not wire.dead]
        free = min(self._wires, key=_load, default=None)
        if free is None or (free.load and len(self._wires) < MOST):
            free = Wire(self._settings, self._timeout)
            self._wires.append(free)
        return free

    async def close(self) -> None:
        """End all, and begin none any more; what was sent in this turn of the event loop still goes out."""
        await asyncio.sleep(0)
        self._closed = True
        wires, self._wires = self._wires, []
        for wire in wires:
            await wire.close()


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type] # its stub knows tuples of one field only
    return packed


def _load(wire: Wire) -> int:
    return wire.load


def _forget(_reply: object) -> None:
    """Nobody waits any more."""


def _greetings(settings: Mapping[str, Any]) -> list[Command]:
    """What goes out first: who we are, and which database we want."""
    words: list[Command] = []
    if settings.get("password"):
        user = [settings["username"]] if settings.get("username") else []
        words.append(("AUTH", *user, settings["password"]))
    if settings.get("db"):
        words.append(("SELECT", int(settings["db"])))
    return words
