"""C: sends what is missing to its backend in pieces, retries what is worth it, and brings the answers back in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.backends import DIALECTS
from gateway.backends.dialect import Ask, Outcome, OutcomeKind
from gateway.dispatch.fair_queue import Ticket
from gateway.dispatch.retry import delay, failure
from gateway.dispatch.splitting import split
from gateway.dispatch.station import LateError
from gateway.errors import TransportError, service_timeout, service_unavailable
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.backends.dialect import Dialect
    from gateway.config.schema import Backend
    from gateway.config.snapshot import Served, Snapshot
    from gateway.dispatch.shaper import Shaper
    from gateway.errors import GatewayError
    from gateway.ports import Clock, Observer, Transport
    from gateway.vocabulary import Answer, Caller, Job

_MICROS = 1_000_000
_MOST = 2_048
_DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be got: units of a job, from whom, for whom, how urgently, by when (Clock.monotonic seconds).

    `estimate` gives the tokens that some positions cost at most. `arrived` is awaited with each piece's answers as it
    comes, so that what was paid for is kept even when another piece fails. `passed` is the caller's own key where keys
    are passed through.
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

    @property
    def of_the_caller(self) -> bool:
        """Whether the backend is asked with the caller's own key, which is the Jina API's and goes nowhere else."""
        return self.passed is not None and self.backend.dialect == "jina"

    @property
    def patience(self) -> float:
        """Seconds after which a call is given up: the backend's own limit, or the request's where that is shorter."""
        return min(self.backend.timeout, self.snapshot.config.server.timeout)

    @property
    def backend(self) -> Backend:
        """The settings of the backend that is asked."""
        return self.snapshot.config.backends[self.served.routes[0].backend]


class Dispatcher:
    """One for a worker. When a call may be sent, and with which key, is the shaper's."""

    def __init__(self, transport: Transport, clock: Clock, observer: Observer, shaper: Shaper) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._shaper = shaper

    async def run(self, order: Order, missing: Sequence[int]) -> dict[int, Answer]:
        """An answer for each position in `missing`. All pieces are waited for; then the first failure is raised.

        Raises:
            GatewayError: what the client is to be told when a piece failed for good.
        """
        limit = _piece_limit(order.backend, order.job.endpoint)
        pieces = [self._piece(order, piece) for piece in split(missing, limit)]
        if len(pieces) == 1:
            return await pieces[0]
        fresh: dict[int, Answer] = {}
        for result in await asyncio.gather(*pieces, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
            fresh |= result
        return fresh

    async def _piece(self, order: Order, piece: Sequence[int]) -> dict[int, Answer]:
        units = tuple(order.job.units[position] for position in piece)
        ask = Ask(order.job, units, order.served.routes[0].backend_model)
        ticket = _ticket(order, piece)
        attempt = 0
        while True:
            try:
                outcome = await self._call(order, ask, ticket)
            except LateError as late:
                raise self._late(order, late) from None
            if outcome.kind is OutcomeKind.ANSWERED:
                fresh = dict(zip(piece, outcome.answers, strict=True))
                await order.arrived(fresh)
                return fresh
            if outcome.kind is OutcomeKind.BUSY and not order.of_the_caller:
                continue  # its key pauses now, and the ticket waits for its turn again
            remaining = order.deadline - self._clock.monotonic()
            wait = delay(outcome, attempt, order.backend.retries, remaining, self._clock.random())
            if wait is None:
                timeout = service_timeout(order.patience)
                raise failure(outcome, order.job, timeout, of_the_caller=order.of_the_caller)
            await self._clock.sleep(wait)
            attempt += 1

    def _late(self, order: Order, late: LateError) -> GatewayError:
        """What a client is told whose call never had its turn: the upstream's refusals are never passed on."""
        if self._clock.monotonic() >= order.deadline:
            return service_timeout(order.patience)
        return service_unavailable("The backend's rate limit leaves no room in time", late.retry_after)

    async def _call(self, order: Order, ask: Ask, ticket: Ticket) -> Outcome:
        """One exchange: with the caller's own key at once, with ours once it has its turn at the backend."""
        name, backend = order.served.routes[0].backend, order.backend
        if order.of_the_caller:
            started = self._clock.monotonic()
            asked = replace(ask, credential=order.passed)
            return self._told(order, ask, await self._exchange(name, backend, asked, order.deadline - started), started)
        async with self._shaper.turn(name, backend, ticket) as turn:
            started = self._clock.monotonic()
            asked = replace(ask, credential=turn.key.credential)
            outcome = await self._exchange(name, backend, asked, order.deadline - started)
            self._shaper.report(name, turn, outcome)
        return self._told(order, ask, outcome, started)

    def _told(self, order: Order, ask: Ask, outcome: Outcome, started: float) -> Outcome:
        """The outcome, counted, with the time that each unit took."""
        seconds = self._clock.monotonic() - started
        self._observer.upstream_call(
            order.served.routes[0].backend, ask.job.endpoint, outcome.kind.value, seconds, outcome.tokens
        )
        share = int(seconds / len(ask.units) * _MICROS)
        return replace(outcome, answers=tuple([replace(answer, micros=share) for answer in outcome.answers]))

    async def _exchange(self, name: str, backend: Backend, ask: Ask, remaining: float) -> Outcome:
        dialect = _DIALECTS[backend.dialect]
        try:
            allowed = min(backend.timeout, max(0.001, remaining))
            reply = await self._transport.send(name, dialect.encode(ask), allowed)
        except TransportError as error:
            if not error.sent:
                return Outcome(OutcomeKind.UNREACHABLE)
            return Outcome(OutcomeKind.TIMEOUT if error.timed_out else OutcomeKind.RESET)
        return dialect.decode(ask, reply)


def _ticket(order: Order, piece: Sequence[int]) -> Ticket:
    caller = order.caller
    return Ticket(caller.tenant, order.estimate(piece), order.deadline, caller.weight, order.lane, caller.queue_timeout)


def _piece_limit(backend: Backend, endpoint: str) -> int:
    """Units a call may carry: the config's word, else the dialect's."""
    dialect = _DIALECTS[backend.dialect]
    if endpoint == "rerank":
        return backend.max_documents or dialect.limits.documents or _MOST
    return backend.max_inputs or dialect.limits.inputs or _MOST
