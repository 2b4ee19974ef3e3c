"""P: what a contract test works with: one port's implementation and the clock that it believes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakes.clock import FakeClock
    from fakes.observer import FakeObserver

    from gateway.ports import AnswerStore, QuotaStore


@dataclass
class World:
    """`second` is another instance on the same state, as another gateway would have it."""

    quota: QuotaStore
    second: QuotaStore
    answers: AnswerStore
    clock: FakeClock
    observer: FakeObserver
    exact: bool

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds
