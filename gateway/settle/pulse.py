"""C: every few seconds tells the store what this worker did since, and how it finds its backends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports.live import SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.ports import Clock
    from gateway.ports.live import Live

_HALF = SLOT_SECONDS // 2


class Pulse:
    """One for a worker. Telling fails in silence: it is for people who look, and what failed is told the next time.

    `tally` gives what the worker did since its start, `word` its last word.
    """

    def __init__(
        self,
        live: Live,
        clock: Clock,
        tally: Callable[[], Awaitable[Mapping[str, int]]],
        word: Callable[[], bytes],
    ) -> None:
        self.name = clock.identifier()
        self._live = live
        self._clock = clock
        self._tally = tally
        self._word = word
        self._told: Mapping[str, int] | None = None

    async def run(self) -> None:
        """For ever, once a slot, just after its end: so each slot is one stretch of every worker's time."""
        await self.beat()
        while True:
            await self._clock.sleep(SLOT_SECONDS - self._clock.epoch() % SLOT_SECONDS)
            await self.beat()

    async def beat(self) -> None:
        """One turn of `run`. The first one tells no amounts: a worker may begin with counters of one before."""
        done = await self._tally()
        before = done if self._told is None else self._told
        fresh = {name: amount - before.get(name, 0) for name, amount in done.items() if amount > before.get(name, 0)}
        try:
            await self._live.report(self.name, self._word())
            if fresh:
                await self._live.add((self._clock.epoch() - _HALF) // SLOT_SECONDS, fresh)
        except StoreError:
            self._told = before
            return
        self._told = done
