"""C: the pooled keys of one backend: which has room, which is paused, and what is taken and settled of their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.dispatch.upstream_key import Turn, UpstreamKey, name_of
from gateway.errors import StoreError
from gateway.leasing.leases import RefusedError
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.backends import Backend
    from gateway.leasing.lease import Taken
    from gateway.leasing.leases import Leases
    from gateway.ports import Clock, Observer, Pauses
    from gateway.tasks import TaskGroup

ROLE = "pauses"

SLOT_SECONDS = 0.1
"""When to look again where nobody knows when there will be room."""

ASIDE_SECONDS = 60.0
"""How long a key is left alone that its upstream refused while another will do: it may be paid, or replaced."""

_NO_LIMITS = Limits(None, None, None)


@dataclass(frozen=True, slots=True)
class Outside:
    """What pools need from outside. What keys allow is leased like the limits of tenants, and holds as theirs do."""

    leases: Leases
    pauses: Pauses
    clock: Clock
    tasks: TaskGroup
    observer: Observer
    secret: bytes


class Pool:
    """One for a backend. `freed` is called when a key may have become free."""

    def __init__(self, backend: str, settings: Backend, outside: Outside, freed: Callable[[], None]) -> None:
        self._backend = backend
        self._outside = outside
        self._freed = freed
        limits = settings.limits
        self._limits = Limits(limits.rpm, limits.tpm, limits.concurrency) if limits else _NO_LIMITS
        self.keys = [
            self._key(credential, name_of(settings.url, credential, outside.secret), settings.timeout)
            for credential in settings.credentials
        ]
        self.shaped = len(self.keys) > 1 or self._limits != _NO_LIMITS

    def _key(self, credential: str | None, name: str, longest_seconds: float) -> UpstreamKey:
        meter = Meter(f"u:{name}", Scope.UPSTREAM, self._limits, lasts=longest_seconds)
        return UpstreamKey(credential, name, meter)

    def paused(self, now: float) -> float:
        """Seconds until some key is not paused; 0 when one is not."""
        until = self.keys[0].paused_until if len(self.keys) == 1 else min(key.paused_until for key in self.keys)
        return max(0.0, until - now)

    async def take(self, tokens: int) -> Turn | float:
        """A turn with the key that has fewest calls running here and has room; else the seconds until one may have."""
        if not self.shaped:
            now = self._now()
            return self.paused(now) or self.take_freely(now)
        wait = float("inf")
        for key in sorted(self.keys, key=lambda key: key.running):
            found = await self._rest(key) or await self._draw(key, tokens)
            if isinstance(found, Turn):
                return found
            wait = min(wait, found)
        return wait

    def take_freely(self, now: float) -> Turn:
        """A turn with the only key of a backend without limits; nobody is asked."""
        key = self.keys[0]
        key.running += 1
        return Turn(key, None, now)

    def end(self, turn: Turn) -> None:
        """A turn is over: it counts from now on for what it used."""
        turn.key.running -= 1
        if turn.taken is not None:
            requests = int(turn.sent)
            used = turn.taken.tokens if turn.used is None else turn.used
            self._outside.leases.settle(turn.taken, requests, requests * used)

    def refused(self, turn: Turn, retry_after: float | None) -> None:
        """The upstream refused a turn's call for its rate: leave its key alone, here and in all other workers."""
        turn.used = 0
        seconds, new = turn.key.refuse(turn, self._now(), retry_after, self._outside.clock.random())
        if new:
            self._outside.observer.upstream_paused(self._backend)
        if self.shaped and seconds > 0:
            self._spawn(self._outside.pauses.pause(turn.key.name, seconds), "pause upstream key")

    def set_aside(self, turn: Turn) -> bool:
        """The upstream refused a turn's key: leave it alone for a while, here and in all other workers, if another is.

        True when a key is left that may do.
        """
        others = [key for key in self.keys if key is not turn.key and key.paused_until <= self._now()]
        if others:
            turn.key.paused_until = max(turn.key.paused_until, self._now() + ASIDE_SECONDS)
            self._spawn(self._outside.pauses.pause(turn.key.name, ASIDE_SECONDS), "set upstream key aside")
        return bool(others)

    async def _rest(self, key: UpstreamKey) -> float:
        """Seconds that a key rests; the store, unless it is away, knows of the other workers' pauses."""
        if (paused := key.paused_until - self._now()) > 0 or self._outside.leases.down:
            return max(0.0, paused)
        try:
            seconds = await self._outside.pauses.paused(key.name)
        except StoreError:
            self._outside.observer.store_failure(ROLE)
            return 0.0
        if seconds > 0:
            key.paused_until = max(key.paused_until, self._now() + seconds)
        return seconds

    async def _draw(self, key: UpstreamKey, tokens: int) -> Turn | float:
        """A turn, or the seconds until there may be room; asked again then, so nobody is waited for here."""
        # A call larger than the whole window may still be sent when it has the window to itself.
        drawn = tokens if self._limits.tokens is None else min(tokens, self._limits.tokens)
        leases = self._outside.leases
        wants = [(leases.of(key.meter), 1, drawn, 1)]
        try:
            taken = leases.taken_at_once(wants) or await leases.take(wants, patient=False)
        except RefusedError as refused:
            known = None if refused.grant is None else refused.grant.retry_after
            return SLOT_SECONDS if known is None else max(known, SLOT_SECONDS)
        return self._turn(key, taken[0])

    def _turn(self, key: UpstreamKey, taken: Taken | None) -> Turn:
        key.running += 1
        return Turn(key, taken, self._now())

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        async def tell() -> None:
            try:
                await work
            except StoreError:
                self._outside.observer.store_failure(ROLE)
            self._freed()

        self._outside.tasks.spawn(tell(), f"{name} of {self._backend}")

    def _now(self) -> float:
        return self._outside.clock.monotonic()
