"""E: several commands that are asked for together and answered together: one future, and one call, for all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.stores.redis.cluster import Command

T = TypeVar("T")


class Many:
    """Replies on their way, in any order or in that of the commands; `told` gets them all, in that of the commands."""

    def __init__(self, commands: Sequence[Command], read: Callable[[list[Any]], list[Any]] = list) -> None:
        self.told: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self.commands = commands
        self._left = len(commands)
        self._replies: list[Any] = []
        self._read = read
        if not commands:
            self.told.set_result([])

    @property
    def takers(self) -> list[Callable[[Any], None]]:
        """What takes each command's reply, where replies come in order: only for the last one a function is called."""
        return [*[self._replies.append] * (self._left - 1), self._last]

    def take(self, at: int, reply: object) -> None:
        """Take one, where they come as they like."""
        if not self._replies:
            self._replies = [None] * self._left
        self._replies[at] = reply
        self._left -= 1
        if not self._left:
            self._end()

    def _last(self, reply: object) -> None:
        self._replies.append(reply)
        self._end()

    def _end(self) -> None:
        replies = self._read(self._replies)  # also where nobody waits any more: the store may have failed
        if not self.told.done():
            self.told.set_result(replies)


def unfailed(replies: Sequence[T]) -> Sequence[T]:
    """The replies, if none of them is an error. Raises the first StoreError."""
    if any(issubclass(kind, StoreError) for kind in set(map(type, replies))):
        raise next(reply for reply in replies if isinstance(reply, StoreError))
    return replies
