"""C: answers that are passed on while they come: opened at a backend, elsewhere if it fails before the first byte."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.backends.dialect import Ask, Outcome, OutcomeKind
from gateway.dispatch.fair_queue import Ticket
from gateway.dispatch.fleet import ClosedError
from gateway.dispatch.passage import SHORTEST, Flow
from gateway.dispatch.retry import decide, failure
from gateway.dispatch.sender import DIALECT
from gateway.dispatch.station import LateError
from gateway.dispatch.tracing import came_back, departing
from gateway.errors import FieldError, GatewayError, TransportError, service_timeout, service_unavailable
from gateway.ports import RawReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.dispatch.fleet import Fleet, Trip
    from gateway.dispatch.order import Order
    from gateway.dispatch.passage import Passage
    from gateway.dispatch.shaper import Shaper
    from gateway.ports import Clock, Observer, Stream, StreamingTransport

ERROR_BYTES = 65_536
"""As much of a refusal is read."""

_OK = 200


@dataclass(eq=False, slots=True)
class _Leg:
    """One try: what opened, or what came of it instead."""

    flow: Flow | None = None
    outcome: Outcome | None = None


class Opener:
    """One for a worker; who may be asked, when and with which key is decided as for every other call."""

    def __init__(
        self, transport: StreamingTransport, clock: Clock, observer: Observer, shaper: Shaper, fleet: Fleet
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._shaper = shaper
        self._fleet = fleet

    @asynccontextmanager
    async def opened(self, passage: Passage) -> AsyncGenerator[Flow, None]:
        """An answer, while the block runs; leaving it early ends the call at the backend.

        Raises:
            GatewayError: none began.
        """
        order, attempt, tries, again = passage.order, 0, 0, False
        tried: set[str] = set()
        while True:
            async with AsyncExitStack() as stack:
                try:
                    trip = await self._fleet.choose(order, passage.tokens, order.deadline, avoid=tried, again=again)
                    trip.tries, tries = tries, tries + 1
                    leg = await stack.enter_async_context(self._leg(passage, trip))
                except LateError as late:
                    raise self._late(order, late) from None
                if leg.flow is not None:
                    yield leg.flow
                    return
            again, outcome = True, leg.outcome or Outcome(OutcomeKind.UNAVAILABLE)
            if trip.other_key:
                continue
            decision = decide(
                outcome,
                attempt=attempt,
                retries=order.backend(trip.route).retries,
                remaining=order.deadline - self._clock.monotonic(),
                chance=self._clock.random(),
                others=self._fleet.others(order, tried | {trip.route.backend}),
                budget=self._fleet.may_retry(order),
                billed=order.backend(trip.route).is_billed,
                of_the_caller=order.of_the_caller(trip.route),
            )
            if not decision.again:
                raise self._told(passage, trip, outcome)
            if decision.elsewhere:
                tried.add(trip.route.backend)
            if decision.counted:
                self._fleet.retried(order)
            attempt += decision.counted or outcome.kind is not OutcomeKind.BUSY
            if decision.wait:
                await self._clock.sleep(decision.wait)

    @asynccontextmanager
    async def _leg(self, passage: Passage, trip: Trip) -> AsyncGenerator[_Leg, None]:
        order, route, leg = passage.order, trip.route, _Leg()
        own_key = order.of_the_caller(route)
        try:
            if own_key:
                async with self._asked(passage, trip, order.passed, leg):
                    yield leg
                return
            ticket = self._ticket(passage)
            async with self._shaper.turn(route.backend, order.backend(route), ticket) as turn:
                try:
                    async with self._asked(passage, trip, turn.key.credential, leg):
                        yield leg
                finally:
                    if leg.outcome is not None:
                        trip.other_key = self._shaper.report(route.backend, turn, leg.outcome)
                    if leg.flow is not None:
                        turn.used = leg.flow.tokens or None
        finally:
            self._fleet.ended(trip, leg.outcome, own_key=own_key)

    def _ticket(self, passage: Passage) -> Ticket:
        order, caller = passage.order, passage.order.caller
        return Ticket(
            caller.tenant, passage.tokens, order.deadline, caller.weight, order.lane, patience=caller.queue_timeout
        )

    @asynccontextmanager
    async def _asked(
        self, passage: Passage, trip: Trip, credential: str | None, leg: _Leg
    ) -> AsyncGenerator[None, None]:
        """Ask, and fill in the leg; leaving ends the call."""
        order, started = passage.order, self._clock.monotonic()
        backend = order.backend(trip.route)
        left = max(SHORTEST, order.deadline - started)
        trip.cut_short = left < backend.timeout
        until = started + min(left, backend.timeout)
        base, exchange = passage.exchange(trip.route, credential)
        order.sent()
        exchange = departing(exchange, trip, (order,), url=base)
        stream: Stream | None = None
        try:
            try:
                stream = await self._transport.open(base, exchange, until - started)
                came_back(trip, stream.status)
                leg.outcome, leg.flow = await self._begun(passage, trip, stream, until)
            except TransportError as error:
                leg.outcome = Outcome(_lost(error))
            yield
        finally:
            if leg.flow is not None and leg.flow.outcome is not OutcomeKind.ANSWERED:
                leg.outcome = Outcome(leg.flow.outcome)
            if stream is not None:
                stream.close()
            kind = "cancelled" if leg.outcome is None else leg.outcome.kind.value
            tokens = 0 if leg.flow is None else leg.flow.tokens
            seconds = self._clock.monotonic() - started
            self._observer.upstream_call(trip.route.backend, order.job.endpoint, kind, seconds, tokens)

    async def _begun(self, passage: Passage, trip: Trip, stream: Stream, until: float) -> tuple[Outcome, Flow | None]:
        """A flow once its first bytes are there, or what a refusal means."""
        order, backend = passage.order, passage.order.backend(trip.route)
        kept = stream.status != _OK and passage.keeps(stream.status)
        if stream.status == _OK or kept:
            first = await stream.read(max(SHORTEST, until - self._clock.monotonic()))
            flow = Flow(stream.status, stream.headers, self._clock, order, stream, first, backend.idle_timeout)
            return Outcome(OutcomeKind.INVALID if kept else OutcomeKind.ANSWERED), flow
        body = b""
        while len(body) < ERROR_BYTES and (more := await stream.read(max(SHORTEST, until - self._clock.monotonic()))):
            body += more
        reply = RawReply(stream.status, stream.headers, body[:ERROR_BYTES])
        return DIALECT[backend.dialect].decode(Ask(order.job, (), trip.route.backend_model), reply), None

    def _late(self, order: Order, late: LateError) -> GatewayError:
        if isinstance(late, ClosedError):
            return service_unavailable("The backend is not available", late.retry_after)
        if self._clock.monotonic() >= order.deadline:
            return service_timeout(order.timeout)
        return service_unavailable("The backend's rate limit leaves no room in time", late.retry_after)

    def _told(self, passage: Passage, trip: Trip, outcome: Outcome) -> GatewayError:
        """What a client hears of a refusal; of its input, about the field that it sent."""
        order = passage.order
        if outcome.kind in {OutcomeKind.INVALID, OutcomeKind.TOO_LARGE} and not outcome.errors:
            text = outcome.message or "The backend did not accept the input"
            outcome = replace(outcome, errors=(FieldError(passage.blamed, text, "value_error"),))
        own_key = order.of_the_caller(trip.route)
        return failure(outcome, order.job, service_timeout(order.patience), of_the_caller=own_key)


def _lost(error: TransportError) -> OutcomeKind:
    if not error.sent:
        return OutcomeKind.UNREACHABLE
    return OutcomeKind.TIMEOUT if error.timed_out else OutcomeKind.RESET
