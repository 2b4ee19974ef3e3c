"""E: a client that goes away before anything was sent for it takes its request along."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from aiohttp import web

CLOSED_REQUEST = 499
"""What such a request is called in logs and metrics: nobody gets the answer."""


class HangUp:
    """One request's: until `depart` was called the end of its connection cancels it, later nothing does.

    What a backend was asked is paid for, so it is brought to its end, attributed and kept, whoever is gone.
    """

    def __init__(self) -> None:
        self.happened = False
        self._departed = False
        self._task = asyncio.current_task()

    def depart(self) -> None:
        """A backend is being asked."""
        self._departed = True

    def lost(self) -> None:
        """The connection ended."""
        if not self._departed and self._task is not None:
            self.happened = True
            self._task.cancel()

    def settle(self) -> bool:
        """Whether a cancellation was for this, which is over then; False: it is somebody else's, and goes on."""
        if self.happened and self._task is not None:
            self._task.uncancel()
        return self.happened

    def watch(self, request: web.BaseRequest) -> _Watch:
        """Hear of the end of a request's connection inside a `with` block."""
        return _Watch(cast("_Connection", request.protocol), self)


class _Connection(Protocol):
    """What says `lost` to who is in `hang_up` when it ends."""

    hang_up: HangUp | None


class _Watch:
    """Without a generator: this is in the way of every request."""

    __slots__ = ("_connection", "_hang_up")

    def __init__(self, connection: _Connection, hang_up: HangUp) -> None:
        self._connection = connection
        self._hang_up = hang_up

    def __enter__(self) -> None:
        self._connection.hang_up = self._hang_up

    def __exit__(self, *_: object) -> None:
        self._connection.hang_up = None
