"""P: one of our keys at an upstream as one worker knows it: what runs on it, where it counts, when it is paused."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from gateway.leasing.lease import Taken
    from gateway.vocabulary import Meter

FIRST_PAUSE_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 30.0
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 3_600.0
"""A pause that an upstream asks for is kept up to this long, lest a slip of its own stop us for ever."""

_NEVER = float("-inf")


@dataclass(eq=False, slots=True)
class UpstreamKey:
    """One key. `name` is what the store knows it by: a keyed digest, which tells nothing."""

    credential: str | None
    name: str
    meter: Meter
    running: int = 0
    paused_since: float = _NEVER
    paused_until: float = _NEVER
    refusals: int = 0

    def refuse(self, turn: Turn, now: float, retry_after: float | None, chance: float) -> tuple[float, bool]:
        """The upstream refused a turn's call for its rate: seconds of pause from now on, and whether it is a new pause.

        Without `retry_after` a new pause is twice as long as the last one, half more or less by `chance` in [0, 1).
        Calls that were sent before a pause began say nothing new, unless they ask for a longer one: 0 seconds.
        """
        new = turn.started >= self.paused_since
        if new:
            self.refusals += 1
            self.paused_since = now
        if retry_after is not None:
            seconds = min(max(retry_after, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        elif new:
            grown = FIRST_PAUSE_SECONDS * 2.0 ** min(self.refusals - 1, 16)
            seconds = max(SHORTEST_PAUSE_SECONDS, min(grown, LONGEST_BACKOFF_SECONDS) * (0.5 + chance))
        else:
            seconds = 0.0
        self.paused_until = max(self.paused_until, now + seconds)
        return seconds, new

    def answer(self, turn: Turn) -> None:
        """The upstream answered a call that was sent since the last pause: the next one is short again."""
        if turn.started >= self.paused_since:
            self.refusals = 0


@dataclass(eq=False, slots=True)
class Turn:
    """The right to send one call now, with `key.credential`.

    `taken` is of the key's meter (None: nothing is counted). `used` are the tokens that the call counts for in the end,
    by default those that were taken; where it was not `sent`, nothing at all. `lane` is the call's.
    """

    key: UpstreamKey
    taken: Taken | None
    started: float
    used: int | None = None
    sent: bool = True
    lane: Lane = Lane.INTERACTIVE


def name_of(url: str, credential: str | None, secret: bytes) -> str:
    """Backends that use one key at one host share what it allows, whatever else they differ in."""
    host = urlsplit(url).netloc or url
    record = f"{len(host)}:{host}{credential or ''}".encode(errors="surrogateescape")
    return blake2b(record, digest_size=16, key=secret[:64], person=b"gw-upstream-key").hexdigest()
