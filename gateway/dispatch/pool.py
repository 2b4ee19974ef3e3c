"""C: the pooled keys of one backend: which has room, which is paused, and what is drawn and given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.dispatch.share import Draw, share
from gateway.dispatch.upstream_key import Turn, UpstreamKey, name_of
from gateway.errors import StoreError
from gateway.ports import Allowance
from gateway.vocabulary import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.backends import Backend
    from gateway.ports import Allowances, Clock, Observer
    from gateway.tasks import TaskGroup

ROLE = "allowance"

AWAY_SECONDS = 1.0
"""A store that failed is not asked for this long: a worker that waited for it each time would stand still."""

DOUBT_SECONDS = 61.0
"""For this long after a failure a worker keeps to its share, too: the store does not know what was drawn meanwhile."""

_NEVER = float("-inf")
_NO_LIMITS = Limits(None, None, None)


@dataclass(frozen=True, slots=True)
class Outside:
    """What pools need from outside. `workers` is how many share the limits while the store is away."""

    allowances: Allowances
    clock: Clock
    tasks: TaskGroup
    observer: Observer
    secret: bytes
    workers: int


class Pool:
    """One for a backend. `freed` is called when a settlement has made room."""

    def __init__(self, backend: str, settings: Backend, outside: Outside, freed: Callable[[], None]) -> None:
        self._backend = backend
        self._outside = outside
        self._freed = freed
        limits = settings.limits
        self._limits = Limits(limits.rpm, limits.tpm, limits.concurrency) if limits else _NO_LIMITS
        self._share = share(self._limits, outside.workers)
        self.keys = [
            UpstreamKey(credential, name_of(settings.url, credential, outside.secret))
            for credential in settings.credentials
        ]
        self.shaped = len(self.keys) > 1 or self._limits != _NO_LIMITS
        self._ask_again = self._in_doubt_until = _NEVER

    def paused(self, now: float) -> float:
        """Seconds until some key is not paused; 0 when one is not."""
        return max(0.0, min(key.paused_until for key in self.keys) - now)

    async def take(self, tokens: int) -> Turn | float:
        """A turn with the key that has fewest calls running here and has room; else the seconds until one may have."""
        if not self.shaped:
            return self.paused(self._now()) or self.take_freely()
        wait = float("inf")
        for key in sorted(self.keys, key=lambda key: len(key.leases)):
            paused = key.paused_until - self._now()
            found = paused if paused > 0 else await self._draw(key, tokens)
            if isinstance(found, Turn):
                return found
            wait = min(wait, found)
        return wait

    def take_freely(self) -> Turn:
        """A turn with the only key of a backend without limits; nobody is asked."""
        now = self._now()
        return self._turn(self.keys[0], self._outside.clock.identifier(), Allowance(), Draw(now, 1, 0))

    def end(self, turn: Turn) -> None:
        """A turn is over. In the store it is settled in a task that no cancellation of a request reaches."""
        key = turn.key
        key.leases.discard(turn.lease)
        if not self.shaped:
            return
        requests = int(turn.sent)
        tokens = requests * (turn.draw.tokens if turn.used is None else turn.used)
        key.own.settle(turn.draw, self._now(), requests, tokens)
        if turn.allowance.stamp is not None:
            settlement = self._outside.allowances.settle(key.name, turn.lease, turn.allowance, requests, tokens)
            self._spawn(settlement, "settle allowance")

    def refused(self, turn: Turn, retry_after: float | None) -> None:
        """The upstream refused a turn's call for its rate: leave its key alone, here and in all other workers."""
        turn.used = 0
        seconds, new = turn.key.refuse(turn, self._now(), retry_after, self._outside.clock.random())
        if new:
            self._outside.observer.upstream_paused(self._backend)
        if self.shaped and seconds > 0:
            self._spawn(self._outside.allowances.pause(turn.key.name, seconds), "pause upstream key")

    async def renew(self) -> None:
        """Heartbeat of the calls that run. Raises StoreError."""
        for key in self.keys:
            if self._limits.concurrency is not None and key.leases:
                await self._outside.allowances.renew(key.name, tuple(key.leases))

    async def _draw(self, key: UpstreamKey, tokens: int) -> Turn | float:
        """Ask the store, and beside it or instead of it the worker's own share, when the store is or was away."""
        # A call larger than the whole window may still be sent when it has the window to itself.
        drawn = tokens if self._limits.tokens is None else min(tokens, self._limits.tokens)
        if self._now() < self._in_doubt_until and (wait := self._own_wait(key, drawn)) > 0:
            return wait
        lease = self._outside.clock.identifier()
        allowance = await self._ask(key, lease, drawn)
        if allowance is None:
            if (wait := self._own_wait(key, drawn)) > 0:
                return wait
            allowance = Allowance()
        if allowance.paused:
            key.paused_until = max(key.paused_until, self._now() + allowance.wait)
        if allowance.wait > 0:
            return allowance.wait
        return self._turn(key, lease, allowance, key.own.draw(self._now(), drawn))

    async def _ask(self, key: UpstreamKey, lease: str, tokens: int) -> Allowance | None:
        """The store's word; None when it has none."""
        if self._now() < self._ask_again:
            return None
        try:
            return await self._outside.allowances.take(key.name, lease, tokens, self._limits)
        except StoreError:
            now = self._now()
            self._ask_again, self._in_doubt_until = now + AWAY_SECONDS, now + DOUBT_SECONDS
            self._outside.observer.store_failure(ROLE)
            return None

    def _own_wait(self, key: UpstreamKey, tokens: int) -> float:
        return key.own.wait(self._now(), tokens, self._share, len(key.leases))

    def _turn(self, key: UpstreamKey, lease: str, allowance: Allowance, draw: Draw) -> Turn:
        key.leases.add(lease)
        return Turn(key, lease, allowance, draw, draw.at)

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
