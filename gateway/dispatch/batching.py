"""P: small orders of one kind gathered into calls: when a batch closes, and what goes into it.

What holds, and is tested in tests/simulation/test_batching.py:

1. Of one kind at most AT_ONCE calls run.
2. A batch closes when it is full; or when a call of its kind returns; or, while none runs, when its window has passed.
3. Nobody waits longer than the window and the calls that are running, unless whole batches wait before him.
4. Whoever came first goes first, and nobody is parted: what one order wants goes into one call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from gateway.dispatch.splitting import fits

if TYPE_CHECKING:
    from gateway.backends.dialect import CallLimits
    from gateway.dispatch.order import Want

AT_ONCE = 2

_INSTANT = 1e-6
"""Seconds that are none: a window that ends in less has ended."""

Waiter = TypeVar("Waiter")


@dataclass(eq=False, slots=True)
class Entry(Generic[Waiter]):
    """What one order wants, and who waits for it."""

    wants: tuple[Want, ...]
    waiter: Waiter


@dataclass(eq=False, slots=True)
class Gathering(Generic[Waiter]):
    """The entries of one kind that wait, in order. `closes` is when the window of the first one ends."""

    limits: CallLimits
    most: int
    running: int = 0
    closes: float | None = None
    waiting: deque[Entry[Waiter]] = field(default_factory=deque)
    released: bool = False

    def add(self, entry: Entry[Waiter], now: float, window: float) -> None:
        """One more; the first to wait opens a window."""
        if not self.waiting:
            self.closes = now + window
        self.waiting.append(entry)

    def withdraw(self, entry: Entry[Waiter]) -> None:
        """Forget an entry that waits; nobody wants it any more."""
        if entry in self.waiting:
            self.waiting.remove(entry)

    def returned(self) -> None:
        """A call ended: what waits now goes as it is."""
        self.running -= 1
        self.released = True

    def close(self, now: float) -> list[Entry[Waiter]]:
        """The batch that is to be sent now; empty when none is. Ask until it is."""
        if not self.waiting or self.running >= AT_ONCE:
            return []
        batch = self._first_batch()
        full = len(batch) < len(self.waiting) or sum(len(entry.wants) for entry in batch) >= self.most
        idle = self.running == 0 and self.closes is not None and now >= self.closes - _INSTANT
        if not (full or idle or self.released):
            return []
        for _ in batch:
            self.waiting.popleft()
        self.released = False
        self.running += 1
        self.closes = now if self.waiting else None
        return batch

    def rest(self, now: float) -> float | None:
        """Seconds until a window ends that something waits for; None while nothing does, or a call will return."""
        if not self.waiting or self.running or self.closes is None:
            return None
        return max(0.0, self.closes - now)

    @property
    def over(self) -> bool:
        """Whether it may be forgotten."""
        return not self.waiting and not self.running

    def _first_batch(self) -> list[Entry[Waiter]]:
        batch: list[Entry[Waiter]] = []
        wants: list[Want] = []
        for entry in self.waiting:
            wants += entry.wants
            if batch and not fits(wants, self.limits, self.most):
                break
            batch.append(entry)
        return batch
