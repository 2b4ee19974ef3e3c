"""C: who is asked: the backends of a model, what each is busy with and how well it has been lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gateway.backends.dialect import Outcome
    from gateway.config.snapshot import Route
    from gateway.dispatch.order import Order
    from gateway.ports import Clock, Observer


@dataclass(eq=False, slots=True)
class Trip:
    """One call's way: over which route, with how many tokens at most."""

    route: Route
    tokens: int


class Fleet:
    """One for a worker."""

    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer

    async def choose(self, order: Order, tokens: int, deadline: float, avoid: AbstractSet[str]) -> Trip:
        for route in order.served.routes:
            if route.backend not in avoid:
                return Trip(route, tokens)
        return Trip(order.served.routes[0], tokens)

    def others(self, order: Order, tried: AbstractSet[str]) -> bool:
        return any(route.backend not in tried for route in order.served.routes)

    def may_retry(self, order: Order) -> bool:
        return True

    def retried(self, order: Order) -> None:
        pass

    def hedge_after(self, order: Order, trip: Trip, units: int, tokens: int) -> float | None:
        return None

    def hedge(self, order: Order, trip: Trip, tokens: int) -> Trip | None:
        return None

    def ended(self, trip: Trip, outcome: Outcome | None) -> None:
        pass
