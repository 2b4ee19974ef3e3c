"""P: what a contract test works with: one port's implementation and the clock that it believes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.clock import FakeClock
    from fakes.observer import FakeObserver

    from gateway.ports import AnswerStore, Claims, Ledger, QuotaStore, Sources, Votes


@dataclass
class World:
    """`forget` empties the store, as a restart without its data does; after `restarted` another server has the data.

    `other_sources` are those of another process. `end_claims` makes every claim run out, as if its owner had died. A
    store of several servers knows no run.
    """

    quota: QuotaStore
    answers: AnswerStore
    claims: Claims
    votes: Votes
    sources: Sources
    other_sources: Sources
    ledger: Ledger
    end_claims: Callable[[], Awaitable[None]]
    forget: Callable[[], Awaitable[None]]
    restarted: Callable[[], Awaitable[None]]
    clock: FakeClock
    observer: FakeObserver
    knows_run: bool = True

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds
