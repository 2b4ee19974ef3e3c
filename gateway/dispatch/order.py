"""P: what is to be got from backends: an order of one request, and each unit that it wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.tokens.bound import utf8_length
from gateway.values import value
from gateway.vocabulary import TRAIN, Lane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.config.backends import Backend
    from gateway.config.snapshot import Route, Served, Snapshot
    from gateway.errors import GatewayError
    from gateway.vocabulary import Answer, Caller, Job, Modality, RequestTrace, Unit

_MARKS = 8
"""Bytes of quotes, comma and a field name around an item in JSON."""


def _untold() -> None:
    """Nobody wants to know."""


@value(frozen=True, eq=False, slots=True)
class Order:
    """What is to be got: units of a job, from whom, for whom, how urgently, by when (Clock.monotonic seconds).

    `estimate` gives the tokens that some positions cost at most. `arrived` is awaited with each call's answers as they
    come, so that what was paid for is kept even when another call fails. `passed` is the caller's own key where keys
    are passed through, `timeout` the seconds that the request may take in all. `sent` is called when a call leaves.
    `trace` is whose calls these are, where somebody wants to know.
    """

    snapshot: Snapshot
    served: Served
    job: Job
    caller: Caller
    deadline: float
    estimate: Callable[[Sequence[int]], int]
    arrived: Callable[[Mapping[int, Answer]], Awaitable[None]]
    lane: Lane = Lane.INTERACTIVE
    passed: str | None = field(default=None, repr=False)
    timeout: float = float("inf")
    sent: Callable[[], None] = _untold
    trace: RequestTrace | None = None

    def backend(self, route: Route) -> Backend:
        """The settings of the backend that a route leads to."""
        return self.snapshot.config.backends[route.backend]

    def of_the_caller(self, route: Route) -> bool:
        """Whether a backend is asked with the caller's own key, which is the Jina API's and goes nowhere else."""
        return self.passed is not None and self.backend(route).dialect == "jina"

    def retries(self, route: Route) -> int:
        """How often a call may be tried again; a training never, as it may have been done."""
        return 0 if self.job.endpoint == TRAIN else self.backend(route).retries

    @property
    def patience(self) -> float:
        """Seconds after which a call is given up: its backends' own limit, or the request's where that is shorter."""
        longest = max(self.backend(route).timeout for route in self.served.routes)
        return min(longest, self.timeout)


@value(frozen=True, eq=False, slots=True)
class Want:
    """One unit that an order wants: its position in the job, what it costs at most, and its bytes on the wire.

    The bytes are 0 where no limit asks for them.
    """

    order: Order
    position: int
    tokens: int
    size: int

    @property
    def unit(self) -> Unit:
        """What the backend is to read."""
        return self.order.job.units[self.position]

    @property
    def modality(self) -> Modality:
        """What the unit is, by its first item."""
        return self.unit[0].modality


@dataclass(slots=True)
class Found:
    """What came of an order: answers by position, refusals of single units, and the failure that left out the others.

    A position in `refused` was refused for itself, whatever stood beside it.
    """

    answers: dict[int, Answer] = field(default_factory=dict)
    refused: dict[int, GatewayError] = field(default_factory=dict)
    failure: GatewayError | None = None


def wants(order: Order, positions: Sequence[int], *, sized: bool = False) -> tuple[Want, ...]:
    """Each position of an order; `sized`: with its bytes, for which each text is encoded."""
    units = order.job.units
    return tuple([Want(order, at, order.estimate((at,)), _size(units[at]) if sized else 0) for at in positions])


def _size(unit: Unit) -> int:
    return sum(utf8_length(part.value) + _MARKS for item in unit for part in item.parts)
