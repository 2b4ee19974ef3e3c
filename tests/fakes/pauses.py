"""P: how long upstream keys rest (ports.Pauses), on a virtual clock."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable


class FakePauses:
    """`down` makes every call fail; `asked` counts the questions; `on_ask` is called at each."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self.down = False
        self.asked = 0
        self.on_ask: Callable[[], object] = lambda: None
        self._clock_ms = clock_ms
        self._until: dict[str, int] = defaultdict(int)

    async def paused(self, name: str) -> float:
        self.asked += 1
        now = self._now()
        self.on_ask()
        return max(0, self._until[name] - now) / 1_000

    async def pause(self, name: str, seconds: float) -> None:
        self._until[name] = max(self._until[name], self._now() + round(seconds * 1_000))

    def forget(self) -> None:
        self._until.clear()

    def _now(self) -> int:
        if self.down:
            raise StoreError("down")
        return self._clock_ms()
