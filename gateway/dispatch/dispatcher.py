"""C: sends what is missing to its backend in pieces, retries what is worth it, and brings the answers back in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.backends import DIALECTS
from gateway.backends.dialect import Ask, Outcome, OutcomeKind
from gateway.dispatch.retry import delay, failure
from gateway.dispatch.splitting import split
from gateway.errors import TransportError, service_timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.backends.dialect import Dialect
    from gateway.config.schema import Backend
    from gateway.config.snapshot import Served, Snapshot
    from gateway.ports import Clock, Observer, Transport
    from gateway.vocabulary import Answer, Job

_MICROS = 1_000_000
_DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be got: units of a job, from whom, by when (Clock.monotonic seconds).

    `arrived` is awaited with each piece's answers as it comes, so that what was paid for is kept even when another
    piece fails. `passed` is the caller's own key where keys are passed through.
    """

    snapshot: Snapshot
    served: Served
    job: Job
    deadline: float
    arrived: Callable[[Mapping[int, Answer]], Awaitable[None]]
    passed: str | None = field(default=None, repr=False)

    @property
    def credential(self) -> str | None:
        """The bearer token for the backend. A caller's own key is the Jina API's, and goes nowhere else."""
        return self.passed if self.of_the_caller else self.backend.key

    @property
    def of_the_caller(self) -> bool:
        """Whether the backend is asked with the caller's own key."""
        return self.passed is not None and self.backend.dialect == "jina"

    @property
    def patience(self) -> float:
        """Seconds after which a call is given up: the backend's own limit, or the request's where that is shorter."""
        return min(self.backend.timeout, self.snapshot.config.server.timeout)

    @property
    def backend(self) -> Backend:
        """The settings of the backend that is asked."""
        return self.snapshot.config.backends[self.served.backend]


class Dispatcher:
    """One for a worker: it owns the number of calls running at each backend."""

    def __init__(self, transport: Transport, clock: Clock, observer: Observer) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._slots: dict[str, asyncio.Semaphore] = {}

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
        ask = Ask(order.job, units, order.served.backend_model, order.credential)
        attempt = 0
        while True:
            outcome = await self._call(order, ask)
            if outcome.kind is OutcomeKind.ANSWERED:
                fresh = dict(zip(piece, outcome.answers, strict=True))
                await order.arrived(fresh)
                return fresh
            remaining = order.deadline - self._clock.monotonic()
            wait = delay(outcome, attempt, order.backend.retries, remaining, self._clock.random())
            if wait is None:
                late = service_timeout(order.patience)
                raise failure(outcome, order.job, late, of_the_caller=order.of_the_caller)
            await self._clock.sleep(wait)
            attempt += 1

    async def _call(self, order: Order, ask: Ask) -> Outcome:
        """One exchange, once a slot at the backend is free."""
        name, backend = order.served.backend, order.backend
        slots = self._slots.setdefault(name, asyncio.Semaphore(backend.concurrency))
        try:
            async with asyncio.timeout(max(0.0, order.deadline - self._clock.monotonic())):
                await slots.acquire()
        except TimeoutError:
            return Outcome(OutcomeKind.TIMEOUT)
        started = self._clock.monotonic()
        try:
            outcome = await self._exchange(name, backend, ask, order.deadline - started)
        finally:
            slots.release()
        seconds = self._clock.monotonic() - started
        self._observer.upstream_call(name, ask.job.endpoint, outcome.kind.value, seconds, outcome.tokens)
        share = int(seconds / len(ask.units) * _MICROS)
        return replace(outcome, answers=tuple([replace(answer, micros=share) for answer in outcome.answers]))

    async def _exchange(self, name: str, backend: Backend, ask: Ask, remaining: float) -> Outcome:
        dialect = _DIALECTS[backend.dialect]
        try:
            allowed = min(backend.timeout, max(0.001, remaining))
            reply = await self._transport.send(name, dialect.encode(ask), allowed)
        except TransportError as error:
            return Outcome(OutcomeKind.TIMEOUT if error.timed_out else OutcomeKind.UNAVAILABLE)
        return dialect.decode(ask, reply)


def _piece_limit(backend: Backend, endpoint: str) -> int:
    """Units a call may carry: the config's word, else the dialect's."""
    dialect = _DIALECTS[backend.dialect]
    if endpoint == "rerank":
        return backend.max_documents or dialect.documents
    return backend.max_inputs or dialect.inputs
