"""C: who is asked: the backends of a model, what each is busy with, and how well each has been lately."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.dispatch.health import Breaker, Ejection, State
from gateway.dispatch.hedging import Hedger
from gateway.dispatch.retry import ANSWERED, CUT_SHORT, Blame, row
from gateway.dispatch.retry_budget import RetryBudget
from gateway.dispatch.routing import Candidate, choose, reopens
from gateway.dispatch.station import LateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from gateway.backends.dialect import Outcome
    from gateway.config.snapshot import Route
    from gateway.dispatch.health import Pass
    from gateway.dispatch.order import Order
    from gateway.dispatch.retry import Row
    from gateway.ports import Clock, Observer
    from gateway.vocabulary import CallSpan, Lane

POLL_SECONDS = 0.05
"""How often those who wait for a probe look whether it has reported."""

_NOBODY: frozenset[str] = frozenset()


class ClosedError(LateError):
    """No backend of a model is well enough to be asked, nor will be in time."""


@dataclass(eq=False, slots=True)
class Place:
    """One backend as one worker knows it, for one model."""

    backend: str
    model: str
    breaker: Breaker = field(default_factory=Breaker)
    ejection: Ejection = field(default_factory=Ejection)
    outstanding: int = 0
    lost_probes: int = 0
    state: State = State.CLOSED


@dataclass(eq=False, slots=True)
class Trip:
    """One call's way: over which route, with how many tokens at most, since when (monotonic seconds).

    `cut_short`: the client's deadline leaves it less time than the backend may take. `other_key`: its key was refused,
    and the backend has another. `tries` came before it; `hedged`: the one before is still running. `span`: how it is
    traced, once it has left. `traffic`: that of its model.
    """

    route: Route
    place: Place
    tokens: int
    admitted: Pass
    started: float
    cut_short: bool = False
    other_key: bool = False
    tries: int = 0
    hedged: bool = False
    span: CallSpan | None = None
    traffic: _Traffic | None = None


@dataclass(eq=False, slots=True)
class _Traffic:
    """What one model's calls have been lately, whoever answered them."""

    hedger: Hedger
    retries: RetryBudget = field(default_factory=RetryBudget)


class Fleet:
    """One for a worker. Each trip that `choose` or `hedge` begins is ended by `ended`, whatever became of it."""

    def __init__(self, clock: Clock, observer: Observer) -> None:
        self._clock = clock
        self._observer = observer
        self._places: dict[tuple[str, str, str], Place] = {}
        self._odd: dict[str, frozenset[str]] = {}
        self._traffic: dict[tuple[str, str, bool], _Traffic] = {}

    def at_once(
        self, order: Order, tokens: int, avoid: AbstractSet[str], *, hedge: bool = False, again: bool = False
    ) -> Trip | None:
        """As `choose` where one may be asked now; `hedge`: only one that is not in `avoid`."""
        now = self._clock.monotonic()
        routes = self._fit(order)
        if avoid and (hedge or self.others(order, avoid)):
            routes = tuple(route for route in routes if route.backend not in avoid)
        route = routes[0] if len(routes) == 1 else self._drawn(order, routes, now)
        if route is None:
            return None
        place = self.place(order, route)
        admitted = place.breaker.begin(now)
        if admitted is None:
            return None
        place.outstanding += tokens
        traffic = self._traffic_of(order)
        if not (hedge or again):
            traffic.retries.seen(now)
            if traffic.hedger.on:
                traffic.hedger.seen(now, tokens)
        return Trip(route, place, tokens, admitted, now, hedged=hedge, traffic=traffic)

    async def choose(
        self, order: Order, tokens: int, deadline: float, avoid: AbstractSet[str] = _NOBODY, *, again: bool = False
    ) -> Trip:
        """A backend for a call, one that is not in `avoid` if possible; `again`: it is not the call's first.

        Where none may be asked now, the call waits for the next probe, and gives up when each backend has lost one.

        Raises:
            ClosedError: no backend is well, or will be before `deadline` (monotonic seconds).
        """
        if (trip := self.at_once(order, tokens, avoid, again=again)) is not None:
            return trip
        places = [self.place(order, route) for route in self._fit(order)]
        lost = [place.lost_probes for place in places]
        while (trip := self.at_once(order, tokens, avoid, again=again)) is None:
            now = self._clock.monotonic()
            rest = reopens(self._candidates(order, now, self._fit(order)))
            hope = [
                now + place.breaker.probes(now) < deadline
                for place, before in zip(places, lost, strict=True)
                if place.lost_probes == before
            ]
            if not any(hope):
                raise ClosedError(max(1.0, min(rest, deadline - now)))
            await self._clock.sleep(min(max(rest, 0.001), POLL_SECONDS))
        return trip

    def others(self, order: Order, tried: AbstractSet[str]) -> bool:
        """Whether a backend that is not in `tried` may be asked now."""
        now = self._clock.monotonic()
        places = [self.place(order, route) for route in self._fit(order) if route.backend not in tried]
        return any(place.breaker.admits(now) for place in places)

    def may_retry(self, order: Order) -> bool:
        """Whether the retry budget has room."""
        return self._traffic_of(order).retries.may(self._clock.monotonic())

    def retried(self, order: Order) -> None:
        """Charge the retry budget."""
        self._traffic_of(order).retries.spend(self._clock.monotonic())

    def retries(self) -> dict[tuple[str, str], int]:
        """Calls that were sent again since the start, by endpoint and revision."""
        found: dict[tuple[str, str], int] = {}
        for (endpoint, revision, _), traffic in self._traffic.items():
            found[endpoint, revision] = found.get((endpoint, revision), 0) + traffic.retries.spent
        return found

    def hedge_after(self, order: Order, trip: Trip) -> float | None:
        """Seconds after which a call may be sent to another backend, too; None where it may not."""
        if len(order.served.routes) == 1 or order.of_the_caller(trip.route):
            return None
        return self._traffic_of(order).hedger.after(trip.tokens, order.lane)

    def hedge(self, order: Order, trip: Trip) -> Trip | None:
        """A second way for a call that takes long, if there is one and the budget of hedges allows it."""
        tried = {trip.route.backend}
        if not self.others(order, tried):
            return None
        if not self._traffic_of(order).hedger.take(self._clock.monotonic(), trip.tokens):
            return None
        second = self.at_once(order, trip.tokens, tried, hedge=True)
        if second is not None:
            self._observer.upstream_hedged(second.route.backend)
        return second

    def ended(self, trip: Trip, outcome: Outcome | None, *, own_key: bool = False) -> None:
        """A trip is over; None: it was broken off, or never sent, and tells nothing. `own_key`: that of the caller."""
        now, place = self._clock.monotonic(), trip.place
        place.outstanding -= trip.tokens
        found = None if outcome is None else row(outcome.kind, of_the_caller=own_key, cut_short=trip.cut_short)
        ok = None if found is None else found is ANSWERED or _is_well(found)
        chance = 0.0 if ok else self._clock.random()  # it spreads what is done after a failure
        if place.breaker.record(now, trip.admitted, ok, chance) and ok is False:
            place.lost_probes += 1
        if found is not None and ok is not None:
            misfit = found.blame is Blame.SETUP
            if place.ejection.record(now, ok=ok, misfit=misfit):
                self._observer.upstream_health(place.backend, place.model, "ejected")
            if misfit:
                self._observer.upstream_misfit(place.backend)
        self._tell(place, now)
        if trip.span is not None:
            trip.span.ended("cancelled" if outcome is None else outcome.kind.value, outcome.tokens if outcome else 0)

    def lasted(self, lane: Lane, trip: Trip) -> None:
        """A first call was answered, or was overtaken by its hedge: how long that took the next hedges wait for."""
        if trip.traffic is not None and trip.traffic.hedger.on:
            trip.traffic.hedger.record(trip.tokens, lane, self._clock.monotonic() - trip.started)

    def drift(self, revision: str, odd: frozenset[str]) -> None:
        """These backends, and no others, answer for a revision in another vector space: they are not asked for it."""
        for backend in self._odd.get(revision, frozenset()) ^ odd:
            self._observer.upstream_health(backend, revision, "drifted" if backend in odd else "closed")
        self._odd[revision] = odd

    def forget_drift(self, but: AbstractSet[str]) -> None:
        """Forget what was found of all other revisions: one that has a single backend now is what that answers."""
        for revision in self._odd.keys() - but:
            self.drift(revision, frozenset())
            del self._odd[revision]

    def eject(self, route: Route, url: str) -> None:
        """A backend says that it is not well: left alone as long as another can answer."""
        place = self._place(route, url)
        if not place.ejection.out(self._clock.monotonic()):
            self._observer.upstream_health(place.backend, place.model, "ejected")
        place.ejection.eject(self._clock.monotonic())

    def places(self) -> list[Place]:
        """Every backend that was asked so far, for each of its models."""
        return list(self._places.values())

    def place(self, order: Order, route: Route) -> Place:
        """What is known of a route's backend."""
        return self._place(route, order.backend(route).url)

    def _place(self, route: Route, url: str) -> Place:
        """Another address is another backend."""
        name = (route.backend, url, route.backend_model)
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = Place(route.backend, route.backend_model)
        return place

    def _drawn(self, order: Order, routes: Sequence[Route], now: float) -> Route | None:
        index = choose(self._candidates(order, now, routes), *[self._clock.random() for _ in range(3)])
        return None if index is None else routes[index]

    def _fit(self, order: Order) -> tuple[Route, ...]:
        """The routes that answer in the vector space of the job's revision, as far as is known."""
        odd = self._odd.get(order.job.revision) if self._odd else None
        return tuple(route for route in order.served.routes if route.backend not in odd) if odd else order.served.routes

    def _candidates(self, order: Order, now: float, routes: Sequence[Route]) -> list[Candidate]:
        return [self._candidate(self.place(order, route), route, now) for route in routes]

    @staticmethod
    def _candidate(place: Place, route: Route, now: float) -> Candidate:
        return Candidate(
            weight=route.weight,
            outstanding=place.outstanding,
            factor=place.breaker.factor(now),
            admits=place.breaker.admits(now),
            ejected=place.ejection.out(now),
            reopens=place.breaker.reopens(now),
        )

    def _traffic_of(self, order: Order) -> _Traffic:
        routes = order.served.routes
        hedges = order.backend(routes[0]).hedges and (
            len(routes) == 1 or all(order.backend(route).hedges for route in routes[1:])
        )
        name = (order.job.endpoint, order.job.revision, hedges)
        traffic = self._traffic.get(name)
        if traffic is None:
            traffic = self._traffic[name] = _Traffic(Hedger(on=hedges))
        return traffic

    def _tell(self, place: Place, now: float) -> None:
        state = place.breaker.state(now)
        if state is not place.state:
            place.state = state
            self._observer.upstream_health(place.backend, place.model, state.value)


def _is_well(found: Row) -> bool | None:
    """Whether a backend did its part; None where an outcome does not tell."""
    return None if found is CUT_SHORT else found.blame is not Blame.BACKEND
