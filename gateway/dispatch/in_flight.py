"""C: equal inputs that are asked for at the same moment reach a backend once, in this process and across processes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from gateway.dispatch.flight import Crew, Flight, Landed, RefusedError, crash, land, landed
from gateway.dispatch.renewals import Renewals
from gateway.errors import Code, GatewayError, StoreError, service_unavailable
from gateway.turns import MANY, turn_over
from gateway.vocabulary import Answer, Fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from gateway.dispatch.order import Found
    from gateway.ports import Claims, Clock
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import ItemKey, Plan

FIRST_POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.1
REFUSED_SECONDS = 10.0
REFUSED_AT_MOST = 1_024

_DETERMINISTIC = frozenset({Code.INPUT_INVALID, Code.INPUT_MODEL_NOT_FOUND})


class Fill(Protocol):
    """Asks the backend for some positions and stores what comes before it returns; `sent` is called once it asks."""

    async def __call__(self, positions: Sequence[int], sent: Callable[[], None]) -> Found:
        """What came of each position."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """What one request wants flown, until when, what it is told then, and how the backend is asked."""

    plan: Plan
    deadline: float
    late: GatewayError
    fill: Fill


class InFlight:
    """One for a worker.

    A flight is one missing unit; its work belongs to a task, not to the client who came first, so a client that hangs
    up stops nothing that was sent; what nobody waits for before it is sent is not sent. Between processes a flight is
    claimed in the store; whoever finds it claimed waits for the answer to appear and takes over when the claim ends
    without one.
    """

    def __init__(self, claims: Claims, clock: Clock, tasks: TaskGroup, claim_seconds: float) -> None:
        self._claims = claims
        self._clock = clock
        self._tasks = tasks
        self._renewals = Renewals(claims, clock, tasks, claim_seconds / 3)
        self._flights: dict[bytes, Flight] = {}
        self._refused: OrderedDict[bytes, tuple[float, GatewayError]] = OrderedDict()

    async def run(self, plan: Plan, deadline: float, late: GatewayError, fill: Fill) -> Fresh:
        """An answer for each missing unit of a plan, or why that one was refused.

        Nobody waits past its own `deadline`; then `late` is raised. A failure is shared with everybody who waits for
        it, and with nobody later, except that what the backend refused is refused again for REFUSED_SECONDS without
        asking.

        Raises:
            GatewayError: what went wrong.
        """
        if not plan.storable:
            found = await fill(plan.missing, _nothing)
            if found.failure is not None:
                raise found.failure
            return Fresh(found.answers, refused=found.refused)
        if len(plan.missing) >= MANY:
            await turn_over(MANY)
        if self._refused and (again := self._refused_before(_name(plan))) is not None:
            raise again
        return await self._wait_for_all(Errand(plan, deadline, late, fill))

    async def _wait_for_all(self, errand: Errand) -> Fresh:
        fresh, deadline = Landed(), errand.deadline
        waiting = fresh.refuse(errand.plan, self._refused_before) if self._refused else list(errand.plan.missing)
        if len(waiting) >= MANY:
            await turn_over(MANY)
        while waiting:
            flights, mine = self._join(errand, waiting)
            await self._wait(flights.values(), deadline)
            waiting = []
            if len(flights) >= MANY:
                await turn_over(MANY)
            for position, flight in flights.items():
                if not flight.landing.done():
                    raise errand.late.again()
                error = flight.landing.exception()
                if error is None:
                    fresh.land(position, *flight.landing.result(), mine=position in mine)
                elif isinstance(error, RefusedError):
                    fresh.refused[position] = error.told.again()
                elif position not in mine and self.may_take_over(error, deadline, errand.plan):
                    waiting.append(position)
                else:
                    raise error.again() if isinstance(error, GatewayError) else error
        return Fresh(fresh.answers, frozenset(fresh.shared), fresh.refused)

    async def _wait(self, flights: Collection[Flight], deadline: float) -> None:
        """Wait for the flights; those that were not sent yet and that nobody waits for any more do not take place."""
        crews = {flight.crew for flight in flights}
        for crew in crews:
            crew.waiters += 1
        try:
            await landed([flight.landing for flight in flights], max(0.0, deadline - self._clock.monotonic()))
        finally:
            for crew in crews:
                self.leave(crew)

    def board(self, errand: Errand) -> tuple[Mapping[int, Flight], Collection[int]]:
        """The flight of each missing unit, and which of them are ours to pay for; each lands, whoever waits.

        For one who does not `run`, and is told by each flight's landing. Until then it counts as waiting for each;
        who no longer waits for one must `leave` its crew.
        """
        flights, mine = self._join(errand, errand.plan.missing)
        for flight in flights.values():
            flight.crew.waiters += 1
        return flights, mine

    def leave(self, crew: Crew) -> None:
        """Wait for that crew no more; what was not sent yet and nobody waits for does not take place."""
        crew.waiters -= 1
        if not crew.waiters and not crew.sent and crew.task is not None and not crew.task.done():
            for proof in crew.proofs:
                self._forget(proof, crew)
            crew.task.cancel()

    def refuses(self, proof: bytes) -> bool:
        """Whether that unit, by itself or as a list of one, was refused so lately that it is not asked for again."""
        if not self._refused:
            return False
        return any(self._refused_before(name) is not None for name in (proof, _named((proof,))))

    def _join(self, errand: Errand, positions: Sequence[int]) -> tuple[dict[int, Flight], set[int]]:
        """The flight of each position, and which of them are ours to fly."""
        flights: dict[int, Flight] = {}
        mine: list[int] = []
        crew = Crew([])
        for position in positions:
            proof = errand.plan.keys[position].proof
            flight = self._flights.get(proof)
            if flight is None:
                flight = self._flights[proof] = Flight(crew)
                crew.proofs.append(proof)
                mine.append(position)
            flights[position] = flight
        if mine:
            ours = {position: flights[position] for position in mine}
            crew.task = self._tasks.spawn(self._fly(errand, ours, crew), "fill")
            crew.task.add_done_callback(lambda _: self._ended(crew, ours.values()))
        return flights, set(mine)

    async def _fly(self, errand: Errand, flights: Mapping[int, Flight], crew: Crew) -> None:
        """Land every flight: with an answer, or all that are left with the failure."""
        plan, token, poll = errand.plan, self._clock.identifier(), FIRST_POLL_SECONDS
        left = list(flights)
        try:
            while left:
                granted, left = await self._claim(plan, flights, left, token)
                if granted:
                    await self._fill(errand, {at: flights[at] for at in granted}, token, crew)
                if not left:
                    return
                if self._clock.monotonic() >= errand.deadline:
                    raise errand.late
                await self._clock.sleep(poll * (0.5 + self._clock.random()))
                poll = min(2 * poll, LONGEST_POLL_SECONDS)
        except Exception as error:
            crash(flights.values(), error)
            if not isinstance(error, GatewayError):
                raise
            self._remember_refusal(_name(plan), error)

    def _ended(self, crew: Crew, flights: Collection[Flight]) -> None:
        """Nothing is left in the air, and nobody is to hear of a failure when whoever waited is gone."""
        left = [flight for flight in flights if not flight.landing.done()]
        if left:
            crash(left, service_unavailable("The gateway is stopping"))
        for proof in crew.proofs:
            self._forget(proof, crew)

    def _forget(self, proof: bytes, crew: Crew) -> None:
        if (flight := self._flights.get(proof)) is not None and flight.crew is crew:
            del self._flights[proof]

    async def _claim(
        self, plan: Plan, flights: Mapping[int, Flight], positions: Sequence[int], token: str
    ) -> tuple[list[int], list[int]]:
        """Which positions are ours to ask for, and which somebody else is asking for; answered ones land.

        A store that does not answer leaves everything to us: better paid twice than not at all.
        """
        try:
            claims = await self._claims.claim([plan.keys[position] for position in positions], token)
        except StoreError:
            return list(positions), []
        except asyncio.CancelledError:
            await self._release([plan.keys[position] for position in positions], token)
            raise
        granted: list[int] = []
        held: list[int] = []
        for position, claim in zip(positions, claims, strict=True):
            if isinstance(claim, Answer):
                land(flights[position], claim, paid=False)
            else:
                (granted if claim else held).append(position)
        return granted, held

    async def _fill(self, errand: Errand, flights: Mapping[int, Flight], token: str, crew: Crew) -> None:
        plan, unanswered = errand.plan, set(flights)
        self._renewals.hold(token, [plan.keys[position] for position in flights])
        try:
            if len(flights) >= MANY:
                await turn_over(MANY)
            found = await errand.fill(list(flights), crew.depart)
            if len(found.answers) >= MANY:
                await turn_over(MANY)
            unanswered -= found.answers.keys()  # the claim on an answer ended as it was stored
            for position, answer in found.answers.items():
                land(flights[position], answer, paid=True)
            for position, told in found.refused.items():
                self._remember_refusal(plan.keys[position].proof, told)
                crash([flights[position]], RefusedError(told))
            if found.failure is not None:
                raise found.failure
        finally:
            self._renewals.drop(token)
            if unanswered:
                await self._release([plan.keys[position] for position in unanswered], token)

    async def _release(self, keys: Sequence[ItemKey], token: str) -> None:
        if not self._claims.let_go(keys, token):
            with suppress(StoreError):
                await self._claims.release(keys, token)

    def may_take_over(self, error: BaseException, deadline: float, plan: Plan) -> bool:
        """Whether a flight failed for what was its flyer's own: less time than we have, or another list.

        A list is refused for any of its inputs, and the refusal may quote them: it says nothing about our list.
        """
        now = self._clock.monotonic()
        if not isinstance(error, GatewayError) or now >= deadline:
            return False
        ours = self._refused_before(_name(plan)) is not None
        return error.code is Code.SERVICE_TIMEOUT or (error.code in _DETERMINISTIC and not ours)

    def _refused_before(self, name: bytes) -> GatewayError | None:
        """The refusal of a list or a unit, to be raised once more, if it is short enough ago."""
        expiry, error = self._refused.get(name, (0.0, None))
        return error.again() if error is not None and expiry > self._clock.monotonic() else None

    def _remember_refusal(self, name: bytes, error: GatewayError) -> None:
        if error.code in _DETERMINISTIC:
            self._refused[name] = (self._clock.monotonic() + REFUSED_SECONDS, error)
            self._refused.move_to_end(name)
            if len(self._refused) > REFUSED_AT_MOST:
                self._refused.popitem(last=False)


def _nothing() -> None:
    """What is not stored belongs to its client alone, and ends with it."""


def _name(plan: Plan) -> bytes:
    """What a list of missing units is remembered by when it is refused: its proofs, in order."""
    return _named([plan.keys[position].proof for position in plan.missing])


def _named(proofs: Sequence[bytes]) -> bytes:
    return blake2b(b"".join(proofs), digest_size=16).digest()
