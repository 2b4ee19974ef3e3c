"""E: whether answers are stored from which others follow (ports.Sources): a mark that lives as long as they may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.cache import SPREAD

if TYPE_CHECKING:
    from gateway.ports import Clock
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.cluster import Command
    from gateway.stores.redis.keys import Keys

LOOK_SECONDS = 1.0
"""Between two looks, which nobody waits for."""

TELL_SECONDS = 10.0
"""The mark is set anew after so long at most, while such answers are made."""

MS = 1_000


class RedisSources:
    """One for a worker. A store that does not say has some."""

    def __init__(self, line: Line, keys: Keys, ttl_seconds: float, clock: Clock) -> None:
        self._line = line
        self._keys = keys
        self._ms = int((ttl_seconds * (1 + SPREAD) + 2 * TELL_SECONDS) * MS)
        self._clock = clock
        self._exist = True
        self._look_at = self._tell_at = float("-inf")

    def may_exist(self, now: float) -> bool:
        """As Sources.may_exist."""
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._line.send(("EXISTS", self._keys.sources), self._known)
        return self._exist

    def made(self) -> None:
        """As Sources.made: the mark is set before what is kept in order."""
        self._exist = True
        now = self._clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_SECONDS
            told = self._line.queue_all(marked(self._keys, self._ms), ordered=True)
            told.add_done_callback(lambda told: self._told(told.result()))

    def _known(self, reply: Any) -> None:  # noqa: ANN401 - a number, or why there is none
        made_lately = self._clock.monotonic() < self._tell_at
        self._exist = made_lately or isinstance(reply, StoreError) or bool(reply)

    def _told(self, replies: list[Any]) -> None:
        if any(isinstance(reply, StoreError) for reply in replies):
            self._tell_at = float("-inf")


def marked(keys: Keys, milliseconds: int) -> list[Command]:
    """What sets the mark for so long at least."""
    return [("SET", keys.sources, 1, "NX", "PX", milliseconds), ("PEXPIRE", keys.sources, milliseconds, "GT")]
