"""C: claims that are kept while their work lasts, all of them by one task."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.ports import Claims, Clock
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import ItemKey


class Renewals:
    """One for a worker. What is held is renewed every `seconds`, until it is dropped.

    Most work is much shorter than that. So the task sleeps on when nothing is held any more, and ends if it still is so
    when it wakes: one task in `seconds`, not one for each claim.
    """

    def __init__(self, claims: Claims, clock: Clock, tasks: TaskGroup, seconds: float) -> None:
        self._claims = claims
        self._clock = clock
        self._tasks = tasks
        self._seconds = seconds
        self._held: dict[str, tuple[float, Sequence[ItemKey]]] = {}
        self._task: asyncio.Task[None] | None = None

    def hold(self, token: str, keys: Sequence[ItemKey]) -> None:
        """Keep the claims of a token, which were made now."""
        self._held[token] = (self._clock.monotonic() + self._seconds, keys)
        if self._task is None or self._task.done():
            self._task = self._tasks.spawn(self._run(), "renew claims", watching=True)

    def drop(self, token: str) -> None:
        """Keep them no more."""
        self._held.pop(token, None)

    async def _run(self) -> None:
        """Each turn those whose time has come, side by side. The first that is held is the first that is due."""
        while self._held:
            now = self._clock.monotonic()
            rest = next(iter(self._held.values()))[0] - now
            if rest > 0:
                await self._clock.sleep(rest)
                continue
            due = [(token, keys) for token, (at, keys) in self._held.items() if at <= now]
            for token, keys in due:
                del self._held[token]
                self._held[token] = (now + self._seconds, keys)
            await asyncio.gather(*[self._renew(token, keys) for token, keys in due])

    async def _renew(self, token: str, keys: Sequence[ItemKey]) -> None:
        with suppress(StoreError):
            await self._claims.renew(keys, token)
