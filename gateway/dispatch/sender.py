"""C: one call's worth of wants sent until it is answered or given up: here again, elsewhere, or to two at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.backends import DIALECTS
from gateway.backends.dialect import Ask, Outcome, OutcomeKind
from gateway.dispatch.fair_queue import Ticket
from gateway.dispatch.retry import decide
from gateway.dispatch.station import LateError
from gateway.dispatch.tracing import came_back, departing
from gateway.errors import TransportError
from gateway.turns import MANY, turn_over
from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.backends.dialect import Dialect
    from gateway.config.backends import Backend
    from gateway.config.snapshot import Route
    from gateway.dispatch.fleet import Fleet, Trip
    from gateway.dispatch.order import Order, Want
    from gateway.dispatch.shaper import Shaper
    from gateway.ports import Clock, Exchange, Observer, Transport

_MICROS = 1_000_000
_LARGE = 1_048_576
"""Bytes of a reply that take about 10 ms to read."""

DIALECT: Mapping[str, Dialect] = {dialect.name: dialect for dialect in DIALECTS}


@value(frozen=True, slots=True)
class Parcel:
    """What one call carries: wants of one kind, of one order or of several that were gathered.

    `deadline` is when the most patient of its orders gives up. Its ticket gives up earlier: that is for its turn alone.
    """

    wants: tuple[Want, ...]
    ticket: Ticket
    deadline: float

    @property
    def order(self) -> Order:
        """Any of its orders: they agree in all that a backend is told, and in who may be asked."""
        return self.wants[0].order

    @property
    def tokens(self) -> int:
        """What the call costs at most."""
        return self.ticket.tokens


def parcel(wants: tuple[Want, ...]) -> Parcel:
    """Wants as one call: it may take as long as the most patient of them has, and its turn is its first tenant's."""
    first = wants[0]
    order, caller = first.order, first.order.caller
    tokens, deadline = first.tokens, order.deadline
    if len(wants) > 1:
        tokens = sum([want.tokens for want in wants])
        deadline = max([want.order.deadline for want in wants])
    ticket = Ticket(caller.tenant, tokens, deadline, caller.weight, order.lane, caller.queue_timeout)
    return Parcel(wants, ticket, deadline)


class Sender:
    """One for a worker. Who may be asked is the fleet's; when a call may be sent, and with which key, the shaper's."""

    def __init__(
        self,
        *,
        transport: Transport,
        clock: Clock,
        observer: Observer,
        shaper: Shaper,
        fleet: Fleet,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._observer = observer
        self._shaper = shaper
        self._fleet = fleet

    async def send(self, sent: Parcel) -> Outcome:
        """The outcome that is left when nothing more is worth trying.

        Raises:
            LateError: no backend was well, or had a turn for it, in time.
        """
        order, attempt, tries, again = sent.order, 0, 0, False
        lone = len(order.served.routes) == 1
        tried: set[str] = set()
        while True:
            trip = self._fleet.at_once(order, sent.tokens, tried, again=again)
            if trip is None:
                trip = await self._fleet.choose(order, sent.tokens, sent.deadline, avoid=tried, again=again)
            trip.tries, tries = tries, tries + 1
            outcome = await (self._travel(sent, trip) if lone else self._hedged(sent, trip))
            if outcome.kind is OutcomeKind.ANSWERED:
                self._fleet.lasted(order.lane, trip)
                return outcome
            if trip.other_key:
                again = True
                continue  # each such try sets a key aside, so they come to an end
            decision = decide(
                outcome,
                attempt=attempt,
                retries=order.retries(trip.route),
                remaining=sent.deadline - self._clock.monotonic(),
                chance=self._clock.random(),
                others=self._fleet.others(order, tried | {trip.route.backend}),
                budget=self._fleet.may_retry(order),
                billed=order.backend(trip.route).is_billed,
                of_the_caller=order.of_the_caller(trip.route),
            )
            if not decision.again:
                return outcome
            if decision.elsewhere:
                tried.add(trip.route.backend)
                sent = parcel(sent.wants)  # it stood in the other backend's queue
            if decision.counted:
                self._fleet.retried(order)
            attempt += decision.counted or outcome.kind is not OutcomeKind.BUSY
            again = True
            if decision.wait:
                await self._clock.sleep(decision.wait)

    async def _hedged(self, sent: Parcel, trip: Trip) -> Outcome:
        """One call; where it takes unusually long and the fleet allows it, a second one beside it: the first wins."""
        after = self._fleet.hedge_after(sent.order, trip)
        if after is None:
            return await self._travel(sent, trip)
        first = asyncio.ensure_future(self._travel(sent, trip))
        alarm = asyncio.ensure_future(self._clock.sleep(after))
        running = {first}
        try:
            await asyncio.wait({first, alarm}, return_when=asyncio.FIRST_COMPLETED)
            second = None if first.done() else self._fleet.hedge(sent.order, trip)
            if second is not None:
                second.tries = trip.tries + 1
                running.add(asyncio.ensure_future(self._travel(parcel(sent.wants), second)))
            return await _first_answer(running)
        finally:
            for task in (*running, alarm):
                task.cancel()
            await asyncio.gather(*running, alarm, return_exceptions=True)

    async def _travel(self, sent: Parcel, trip: Trip) -> Outcome:
        """One exchange over one route: with the caller's own key at once, with ours once it has its turn there."""
        order, route = sent.order, trip.route
        backend, own_key = order.backend(route), order.of_the_caller(route)
        outcome: Outcome | None = None
        try:
            if sent.deadline <= self._clock.monotonic():
                raise LateError(1.0)
            if own_key:
                outcome = await self._exchange(sent, trip, backend, order.passed)
            else:
                station = self._shaper.station(route.backend, backend)
                turn = station.at_once(sent.ticket) or await station.wait(sent.ticket)
                try:
                    outcome = await self._exchange(sent, trip, backend, turn.key.credential)
                    trip.other_key = self._shaper.report(route.backend, turn, outcome)
                finally:
                    station.end(turn)
            return outcome
        finally:
            self._fleet.ended(trip, outcome, own_key=own_key)

    async def _exchange(self, sent: Parcel, trip: Trip, backend: Backend, credential: str | None) -> Outcome:
        name, dialect = trip.route.backend, DIALECT[backend.dialect]
        ask = _ask(sent, trip.route, credential)
        units = len(ask.units)
        started = self._clock.monotonic()
        left = max(0.001, sent.deadline - started)
        trip.cut_short = left < backend.timeout
        exchange = _departing(sent, trip, dialect.encode(ask))
        try:
            if units >= MANY:
                await turn_over(units)
            reply = await self._transport.send(name, exchange, min(left, backend.timeout))
            came_back(trip, reply.status)
            if len(reply.body) <= _LARGE and units < MANY:
                outcome = dialect.decode(ask, reply)
            else:  # it takes long to read: beside the event loop
                outcome = await asyncio.to_thread(dialect.decode, ask, reply)
        except TransportError as error:
            outcome = Outcome(_lost(error))
        seconds = self._clock.monotonic() - started
        self._observer.upstream_call(name, ask.job.endpoint, outcome.kind, seconds, outcome.tokens)
        if not outcome.answers:
            return outcome
        share = int(seconds / units * _MICROS)
        return Outcome(outcome.kind, tuple([answer.taking(share) for answer in outcome.answers]))


def _ask(sent: Parcel, route: Route, credential: str | None) -> Ask:
    job, wants = sent.order.job, sent.wants
    units = tuple([want.order.job.units[want.position] for want in wants])
    return Ask(job, units, route.backend_model, credential, tuple([want.tokens for want in wants]))


def _departing(sent: Parcel, trip: Trip, exchange: Exchange) -> Exchange:
    """Whoever wants to know hears that the call leaves."""
    first, wants = sent.wants[0].order, sent.wants
    orders = dict.fromkeys([want.order for want in wants]) if len(wants) > 1 else (first,)
    for order in orders:
        order.sent()
    if len(orders) == 1 and first.trace is None:
        return exchange
    return departing(exchange, trip, orders, items=len(wants))


def _lost(error: TransportError) -> OutcomeKind:
    if not error.sent:
        return OutcomeKind.UNREACHABLE
    return OutcomeKind.TIMEOUT if error.timed_out else OutcomeKind.RESET


_FINAL = frozenset({OutcomeKind.ANSWERED, OutcomeKind.INVALID, OutcomeKind.TOO_LARGE})
"""What another call would not better: who says so first is believed."""


async def _first_answer(running: set[asyncio.Task[Outcome]]) -> Outcome:
    """The first final outcome, else the last one of those that ended; raises what was raised where none did."""
    left, last = set(running), next(iter(running))
    while left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.exception() is None:
                if task.result().kind in _FINAL:
                    return task.result()
                last = task
    return last.result()
