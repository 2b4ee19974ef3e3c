"""P: a virtual clock (ports.Clock): time moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

SETTLING_TURNS = 20


class FakeClock:
    """Starts at `start` seconds; `chance` is what random() answers."""

    def __init__(self, start: float = 1_000.0, chance: float = 0.5) -> None:
        self.now = start
        self.chance = chance
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.now

    def milliseconds(self) -> int:
        return round(self.now * 1_000)

    def epoch(self) -> int:
        return int(self.now)

    def random(self) -> float:
        return self.chance

    def identifier(self) -> str:
        return f"{next(self._order):032x}"

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: everybody due wakes at its own time, in order, and runs until it waits again."""
        end = self.now + seconds
        await settled()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settled()
        self.now = end


async def settled() -> None:
    """Let all tasks that can run do so until they wait for something."""
    loop = asyncio.get_running_loop()
    for _ in range(SETTLING_TURNS):
        await asyncio.sleep(0)
        if _nothing_can_run(loop):
            return


def _nothing_can_run(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether more turns would all be empty: nobody else is to run, and there is no file that could wake anybody.

    The loop always reads the pipe by which signals and threads wake it. Of uvloop nothing is known.
    """
    selector = getattr(loop, "_selector", None)
    return selector is not None and not getattr(loop, "_ready", None) and len(selector.get_map()) <= 1
