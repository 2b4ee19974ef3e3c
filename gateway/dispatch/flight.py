"""C: flights of missing units: who flies them, who waits for them, and how they land."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gateway.errors import GatewayError
    from gateway.vocabulary import Answer, Plan

    Landing: TypeAlias = asyncio.Future[tuple[Answer, bool]]


class RefusedError(Exception):
    """A flight's unit was refused for itself: whoever else asks for it is told the same."""

    def __init__(self, told: GatewayError) -> None:
        super().__init__("refused")
        self.told = told


@dataclass(eq=False, slots=True)
class Crew:
    """The task that flies some flights; `waiters` are the requests that wait for any of them."""

    proofs: list[bytes]
    task: asyncio.Task[None] | None = None
    waiters: int = 0
    sent: bool = False

    def depart(self) -> None:
        """The backend is being asked: from now on the call is worth ending, whoever hangs up."""
        self.sent = True


@dataclass(eq=False, slots=True)
class Flight:
    """One missing unit on its way."""

    crew: Crew
    landing: Landing = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True)
class Landed:
    """What a request has so far."""

    answers: dict[int, Answer] = field(default_factory=dict)
    shared: set[int] = field(default_factory=set)
    refused: dict[int, GatewayError] = field(default_factory=dict)

    def refuse(self, plan: Plan, refused_before: Callable[[bytes], GatewayError | None]) -> list[int]:
        """Refuse again what was refused lately; the positions that are left."""
        left = []
        for position in plan.missing:
            error = refused_before(plan.keys[position].proof)
            if error is None:
                left.append(position)
            else:
                self.refused[position] = error
        return left

    def land(self, position: int, answer: Answer, paid: bool, *, mine: bool) -> None:  # noqa: FBT001 - a landing's two
        """A flight landed; what we did not ask ourselves costs us nothing."""
        self.answers[position] = answer
        if not (mine and paid):
            self.shared.add(position)


async def landed(landings: Sequence[Landing], seconds: float) -> None:
    """Wait until all have landed, well or not, at most so long; of one as asyncio.wait would, with less ado."""
    if len(landings) != 1:
        await asyncio.wait(landings, timeout=seconds)
        return
    landing, loop = landings[0], asyncio.get_running_loop()
    if landing.done():
        return
    over = loop.create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = loop.call_later(seconds, end)
    landing.add_done_callback(end)
    try:
        await over
    finally:
        timer.cancel()
        landing.remove_done_callback(end)


def land(flight: Flight, answer: Answer, *, paid: bool) -> None:
    """A flight has its answer; one that crashed before stays so."""
    if not flight.landing.done():
        flight.landing.set_result((answer, paid))


def crash(flights: Iterable[Flight], failure: BaseException) -> None:
    """Whatever has not landed fails."""
    for flight in flights:
        if not flight.landing.done():
            flight.landing.set_exception(failure)
            flight.landing.exception()  # whoever waited may be gone; nobody else is to hear of it
