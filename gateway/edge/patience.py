"""P: how long a connection is waited for that sends, takes or says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.schema import Server

SLOWEST = 1_024
"""Bytes a second that a client must send of a body, or take of an answer."""

_LINGERING = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a head, a stretch of a body or of an answer; seconds between requests; connections at once."""

    receive: float = 10.0
    idle: float = 75.0
    connections: int = 10_000

    @property
    def tick(self) -> float:
        """Seconds between two looks at all connections."""
        return min(self.receive, self.idle, 10.0) / 20

    @property
    def stretch(self) -> tuple[float, int]:
        """Seconds, and the bytes of a body that must come within them: a late one's connection lingers after that."""
        seconds = self.receive - self.lingering
        return seconds, int(seconds * SLOWEST)

    @property
    def lingering(self) -> float:
        """Seconds that the rest of a body is read and dropped after an early refusal, so that the client sees it."""
        return min(_LINGERING, self.receive / 5)


def patience_of(settings: Server) -> Patience:
    """As configured."""
    return Patience(settings.receive_timeout, settings.keepalive_timeout, settings.connections)


@dataclass(frozen=True, slots=True)
class Seen:
    """A connection at one moment.

    `waiting`: no request of it is being answered. `count` of requests so far. `stirred`: bytes came since the last
    look. `unsent` bytes of answers wait here; `taken` is how many its client has acknowledged, None if nobody knows.
    """

    waiting: bool
    count: int
    stirred: bool
    unsent: int
    taken: int | None


class Verdict(Enum):
    """What becomes of a connection."""

    KEEP = auto()
    LATE = auto()  # a request was begun, and its head does not end
    IDLE = auto()
    STUCK = auto()  # its client does not take what it asked for


class Watch:
    """What the looks at one connection have shown; times are seconds of a monotonic clock."""

    __slots__ = ("_begun", "_count", "_since", "_stuck_since", "_taken")

    def __init__(self, now: float) -> None:
        """`now`: it was accepted."""
        self._since = now
        self._count = 0
        self._begun = True  # who connects is expected to send
        self._stuck_since: float | None = None
        self._taken = 0

    def look(self, seen: Seen, now: float, patience: Patience) -> Verdict:
        """What to do now; a verdict comes up to two ticks early: by the end of the time the connection is closed."""
        if self._is_stuck(seen, now, patience):
            return Verdict.STUCK
        if not seen.waiting or seen.count != self._count:
            self._count, self._since, self._begun = seen.count, now, False
            return Verdict.KEEP
        if seen.stirred and not self._begun:
            self._since, self._begun = now - patience.tick, True
        waited = now - self._since + patience.tick
        if self._begun:
            return Verdict.LATE if waited + patience.tick > patience.receive else Verdict.KEEP
        return Verdict.IDLE if waited > patience.idle else Verdict.KEEP

    def _is_stuck(self, seen: Seen, now: float, patience: Patience) -> bool:
        """Less than the slowest was taken for as long as is waited, though there was more."""
        if not seen.unsent or seen.taken is None:
            self._stuck_since = None
            return False
        if self._stuck_since is None or seen.taken - self._taken >= patience.stretch[1]:
            self._stuck_since, self._taken = now - patience.tick, seen.taken
            return False
        return now - self._stuck_since + patience.tick > patience.receive
