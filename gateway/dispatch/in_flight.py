"""C: equal inputs that are asked for at the same moment reach a backend once, in this process and across processes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import Code, GatewayError, StoreError, service_unavailable
from gateway.vocabulary import Answer, Fresh

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.ports import Claims, Clock
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import ItemKey, Plan

    Fill: TypeAlias = Callable[[Sequence[int]], Awaitable[Mapping[int, Answer]]]

FIRST_POLL_SECONDS = 0.005
LONGEST_POLL_SECONDS = 0.1
REFUSED_SECONDS = 10.0
REFUSED_AT_MOST = 1_024

_DETERMINISTIC = frozenset({Code.INPUT_INVALID, Code.INPUT_MODEL_NOT_FOUND})


class InFlight:
    """One for a worker.

    A flight is one missing unit; its work belongs to a task, not to the client who came first, so a client that hangs
    up stops nothing. Between processes a flight is claimed in the store; whoever finds it claimed waits for the answer
    to appear and takes over when the claim ends without one.
    """

    def __init__(self, claims: Claims, clock: Clock, tasks: TaskGroup, claim_seconds: float) -> None:
        self._claims = claims
        self._clock = clock
        self._tasks = tasks
        self._renew_seconds = claim_seconds / 3
        self._flights: dict[bytes, asyncio.Future[tuple[Answer, bool]]] = {}
        self._refused: OrderedDict[bytes, tuple[float, GatewayError]] = OrderedDict()

    async def run(self, plan: Plan, deadline: float, late: GatewayError, fill: Fill) -> Fresh:
        """An answer for each missing unit of a plan.

        `fill` asks the backend for some positions and stores what comes before it returns. Nobody waits past its own
        `deadline`; then `late` is raised. A failure is shared with everybody who waits for it, and with nobody later,
        except that a list the backend refused is refused again for REFUSED_SECONDS without asking.

        Raises:
            GatewayError: what went wrong.
        """
        if not plan.storable:
            return Fresh(await fill(plan.missing))
        name = _name(plan)
        self._refuse_again(name)
        answers: dict[int, Answer] = {}
        shared: set[int] = set()
        waiting = list(plan.missing)
        while waiting:
            flights, mine = self._join(plan, waiting, deadline, late, fill)
            await asyncio.wait(set(flights.values()), timeout=max(0.0, deadline - self._clock.monotonic()))
            waiting = []
            for position, flight in flights.items():
                if not flight.done():
                    raise _again(late)
                if (error := flight.exception()) is not None:
                    if position not in mine and self._may_take_over(error, deadline, name):
                        waiting.append(position)
                        continue
                    raise _again(error)
                answers[position], paid = flight.result()
                if position not in mine or not paid:
                    shared.add(position)
        return Fresh(answers, frozenset(shared))

    def _join(
        self, plan: Plan, positions: Sequence[int], deadline: float, late: GatewayError, fill: Fill
    ) -> tuple[dict[int, asyncio.Future[tuple[Answer, bool]]], set[int]]:
        """The flight of each position, and which of them are ours to fly."""
        flights, mine = {}, []
        for position in positions:
            proof = plan.keys[position].proof
            flight = self._flights.get(proof)
            if flight is None:
                flight = self._flights[proof] = asyncio.get_running_loop().create_future()
                mine.append(position)
            flights[position] = flight
        if mine:
            self._tasks.spawn(self._fly(plan, mine, deadline, late, fill), "fill")
        return flights, set(mine)

    async def _fly(self, plan: Plan, positions: Sequence[int], deadline: float, late: GatewayError, fill: Fill) -> None:
        """Land every flight: with an answer, or all that are left with the failure."""
        token, poll = self._clock.identifier(), FIRST_POLL_SECONDS
        left = list(positions)
        failure: BaseException = service_unavailable("The gateway is stopping")
        try:
            while left:
                granted, left = await self._claim(plan, left, token)
                if granted:
                    await self._fill(plan, granted, token, fill)
                if not left:
                    return
                if self._clock.monotonic() >= deadline:
                    raise late
                await self._clock.sleep(poll * (0.5 + self._clock.random()))
                poll = min(2 * poll, LONGEST_POLL_SECONDS)
        except Exception as error:
            failure = error
            self._remember_refusal(_name(plan), error)
            if not isinstance(error, GatewayError):
                raise
        finally:
            for position in positions:
                flight = self._flights.pop(plan.keys[position].proof)
                if not flight.done():
                    flight.set_exception(failure)
                    flight.exception()  # whoever waited may be gone; nobody else is to hear of it

    async def _claim(self, plan: Plan, positions: Sequence[int], token: str) -> tuple[list[int], list[int]]:
        """Which positions are ours to ask for, and which somebody else is asking for; answered ones land.

        A store that does not answer leaves everything to us: better paid twice than not at all.
        """
        try:
            claims = await self._claims.claim([plan.keys[position] for position in positions], token)
        except StoreError:
            return list(positions), []
        granted: list[int] = []
        held: list[int] = []
        for position, claim in zip(positions, claims, strict=True):
            if isinstance(claim, Answer):
                self._land(plan, {position: claim}, paid=False)
            else:
                (granted if claim else held).append(position)
        return granted, held

    async def _fill(self, plan: Plan, positions: Sequence[int], token: str, fill: Fill) -> None:
        keys = [plan.keys[position] for position in positions]
        renewal = self._tasks.spawn(self._renew(keys, token), "renew claims")
        try:
            self._land(plan, await fill(positions), paid=True)
        finally:
            renewal.cancel()
            with suppress(StoreError):
                await self._claims.release(keys, token)

    def _land(self, plan: Plan, answers: Mapping[int, Answer], *, paid: bool) -> None:
        for position, answer in answers.items():
            flight = self._flights[plan.keys[position].proof]
            if not flight.done():
                flight.set_result((answer, paid))

    async def _renew(self, keys: Sequence[ItemKey], token: str) -> None:
        while True:
            await self._clock.sleep(self._renew_seconds)
            with suppress(StoreError):
                await self._claims.renew(keys, token)

    def _may_take_over(self, error: BaseException, deadline: float, name: bytes) -> bool:
        """Whether a flight failed for what was its flyer's own: less time than we have, or another list.

        A list is refused for any of its inputs, and the refusal may quote them: it says nothing about our list.
        """
        now = self._clock.monotonic()
        if not isinstance(error, GatewayError) or now >= deadline:
            return False
        ours = name in self._refused and self._refused[name][0] > now
        return error.code is Code.SERVICE_TIMEOUT or (error.code in _DETERMINISTIC and not ours)

    def _refuse_again(self, name: bytes) -> None:
        expiry, error = self._refused.get(name, (0.0, None))
        if error is not None and expiry > self._clock.monotonic():
            raise _again(error)

    def _remember_refusal(self, name: bytes, error: BaseException) -> None:
        if isinstance(error, GatewayError) and error.code in _DETERMINISTIC:
            self._refused[name] = (self._clock.monotonic() + REFUSED_SECONDS, error)
            self._refused.move_to_end(name)
            if len(self._refused) > REFUSED_AT_MOST:
                self._refused.popitem(last=False)


def _name(plan: Plan) -> bytes:
    """What a list of missing units is remembered by when it is refused: its proofs, in order."""
    return blake2b(b"".join(plan.keys[position].proof for position in plan.missing), digest_size=16).digest()


def _again(error: BaseException) -> BaseException:
    """A failure to raise once more: one object raised by many would collect all their tracebacks."""
    if isinstance(error, GatewayError):
        return GatewayError(error.code, error.message, retry_after=error.retry_after, errors=error.errors)
    return error
