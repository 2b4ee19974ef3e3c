"""E: one connection to a backend: a request goes out, its response comes in, and then perhaps the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from gateway.alarm import NEVER
from gateway.http1.answer import TooLargeError
from gateway.http1.head import BrokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.http1.answer import Answer

_JOINED = 65_536
"""Bytes of a body that are copied to go out with their head in one piece."""


class LostError(Exception):
    """The connection ended before the answer did."""


class LateError(Exception):
    """The answer was not complete in time."""


class Connection(asyncio.Protocol):
    """Serves one call at a time; `left` is called once, when it can serve no more.

    Whatever goes wrong ends it, and so do bytes that nobody asked for: they would be taken for the next call's answer.
    """

    def __init__(self, left: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = left
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._complete: asyncio.Future[None] | None = None
        self.used = 0
        self.until = NEVER
        self.idle_since = 0.0

    @property
    def open(self) -> bool:
        """Whether a call may be sent over it."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, head: bytes, body: bytes, answer: Answer, until: float) -> None:
        """Send a request and fill in its answer; whoever keeps the time calls `late` at `until`, in the loop's time.

        Raises:
            BrokenError, TooLargeError: as Answer.feed.
            LostError: it ended before.
            LateError: `late` was called.
        """
        transport = self._transport
        if transport is None:
            raise LostError
        complete = self._complete = self._loop.create_future()
        self._answer = answer
        self.used += 1
        self.until = until
        try:
            if len(body) <= _JOINED:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
            await complete
        finally:
            self.until = NEVER
            if not complete.done() or complete.cancelled():  # whoever asked has gone away
                self.abort()
            self._answer = self._complete = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        """More of the answer."""
        answer, complete = self._answer, self._complete
        if answer is None or complete is None or complete.done():
            self.abort()
            return
        try:
            rest = answer.feed(data)
        except (BrokenError, TooLargeError) as error:
            self._fail(error)
            return
        if rest is None:
            return
        head, transport = answer.head, self._transport
        if rest or head is None or not head.lasts or transport is None or transport.get_write_buffer_size():
            self.abort()
        complete.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, which may be the answer's end, too."""
        self._transport = None
        if self._complete is not None and not self._complete.done():
            if exc is None and self._answer is not None and self._answer.end():
                self._complete.set_result(None)
            else:
                self._complete.set_exception(LostError())
        self._left(self)

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def late(self) -> None:
        """The time of the call that runs is up."""
        self.until = NEVER
        self._fail(LateError())

    def _fail(self, error: Exception) -> None:
        if self._complete is not None and not self._complete.done():
            self._complete.set_exception(error)
        self.abort()
