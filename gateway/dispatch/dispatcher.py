"""C: gets what is missing: cut into calls or gathered with others', halved to find what is bad, put back in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.backends.dialect import OutcomeKind
from gateway.dispatch.batcher import Batcher
from gateway.dispatch.fleet import ClosedError
from gateway.dispatch.order import Found, wants
from gateway.dispatch.retry import failure
from gateway.dispatch.sender import parcel
from gateway.dispatch.splitting import Bisection, apart, cut, fits, without_places
from gateway.dispatch.station import LateError
from gateway.errors import service_timeout, service_unavailable
from gateway.turns import turn_over
from gateway.vocabulary import Answer, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from gateway.backends.dialect import CallLimits, Outcome
    from gateway.dispatch.known_limits import KnownLimits
    from gateway.dispatch.order import Order, Want
    from gateway.dispatch.sender import Sender
    from gateway.errors import GatewayError
    from gateway.ports import Clock
    from gateway.tasks import TaskGroup

SMALL = 8
"""Units of an order that still travels with others; a longer list is calls of its own."""

_MOST = 2_048
"""Units a call where no limit is known."""

_GATHERED = frozenset({Shape.DENSE, Shape.MULTI, Shape.SPARSE})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a want has no answer: an outcome, or no turn in time. `alone`: it was asked by itself, so it is its own."""

    outcome: Outcome | LateError
    alone: bool = False


class Dispatcher:
    """One for a worker."""

    def __init__(self, sender: Sender, limits: KnownLimits, clock: Clock, tasks: TaskGroup) -> None:
        self._sender = sender
        self._limits = limits
        self._clock = clock
        self._batcher: Batcher[Answer | _Refusal] = Batcher(clock, tasks, self._settle)

    async def run(self, order: Order, missing: Sequence[int]) -> Found:
        """An answer for each position in `missing`, or why there is none. All calls are waited for."""
        limits = _for_shape(self._limits.at_once(order) or await self._limits.of(order), order.job.shape)
        most = (limits.documents if order.job.endpoint == "rerank" else limits.inputs) or _MOST
        wanted = wants(order, missing, sized=limits.size is not None)
        if len(wanted) <= SMALL and fits(wanted, limits, most):
            if (kind := _kind(order)) is None:
                return await self._alone(order, wanted)
            window = order.backend(order.served.routes[0]).batch_window
            results = await self._batcher.join(kind, wanted, limits, most, window)
        else:
            await turn_over(len(wanted))
            results = {}
            pieces = [self._settle(piece) for piece in cut(wanted, limits, most)]
            for part in [await pieces[0]] if len(pieces) == 1 else await asyncio.gather(*pieces):
                results |= part
        return self._found(order, results)

    async def _alone(self, order: Order, wanted: tuple[Want, ...]) -> Found:
        """What came of a small order that is one call of its own."""
        try:
            outcome = await self._sender.send(parcel(wanted))
        except LateError as late:
            return self._found(order, dict.fromkeys(wanted, _Refusal(late)))
        if outcome.kind is not OutcomeKind.ANSWERED:
            return self._found(order, await self._parted(wanted, Bisection(len(wanted)), outcome))
        answers = {want.position: answer for want, answer in zip(wanted, outcome.answers, strict=True)}
        await order.arrived(answers)
        return Found(answers)

    async def _settle(self, wanted: tuple[Want, ...]) -> dict[Want, Answer | _Refusal]:
        return await self._search(wanted, Bisection(len(wanted)))

    async def _search(self, wanted: tuple[Want, ...], bisection: Bisection) -> dict[Want, Answer | _Refusal]:
        """A result for each want; a call that was refused for some of its units is halved until they are found."""
        try:
            outcome = await self._sender.send(parcel(wanted))
        except LateError as late:
            return dict.fromkeys(wanted, _Refusal(late))
        if outcome.kind is OutcomeKind.ANSWERED:
            await turn_over(len(wanted))
            answers = dict(zip(wanted, outcome.answers, strict=True))
            await _hand_over(answers)
            return dict(answers)
        return await self._parted(wanted, bisection, outcome)

    async def _parted(
        self, wanted: tuple[Want, ...], bisection: Bisection, outcome: Outcome
    ) -> dict[Want, Answer | _Refusal]:
        """What came of the parts of a call with that outcome; where parts would tell no more, that of the whole."""
        results: dict[Want, Answer | _Refusal] = {}
        parts = [self._search(half, bisection) for half in bisection.halves(wanted, outcome)]
        # Whose unit it was is not known, and nobody is refused for another's: each order goes by itself.
        parts = parts or [self._settle(own) for own in apart(wanted, outcome)]
        for part in await asyncio.gather(*parts):
            results |= part
        return results or dict.fromkeys(wanted, _Refusal(outcome, alone=len(wanted) == 1))

    def _found(self, order: Order, results: Mapping[Want, Answer | _Refusal]) -> Found:
        """The results of one order; a failure that is not one unit's own is everybody's."""
        found = Found()
        for want, result in results.items():
            if isinstance(result, Answer):
                found.answers[want.position] = result
            elif result.alone and _of_unit(result.outcome):
                found.refused[want.position] = self._told(order, result)
            else:
                found.failure = found.failure or self._told(order, result)
        return found

    def _told(self, order: Order, refusal: _Refusal) -> GatewayError:
        """What the client is told; refusals of the upstream for its rate are never passed on."""
        timeout = service_timeout(order.patience)
        if isinstance(refusal.outcome, ClosedError):
            return service_unavailable("The backend is not available", refusal.outcome.retry_after)
        if isinstance(refusal.outcome, LateError):
            if self._clock.monotonic() >= order.deadline:
                return service_timeout(order.timeout)
            return service_unavailable("The backend's rate limit leaves no room in time", refusal.outcome.retry_after)
        own_key = any(order.of_the_caller(route) for route in order.served.routes)
        outcome = refusal.outcome if refusal.alone else without_places(refusal.outcome)
        return failure(outcome, order.job, timeout, of_the_caller=own_key)


def _of_unit(outcome: Outcome | LateError) -> bool:
    return not isinstance(outcome, LateError) and outcome.kind in {OutcomeKind.INVALID, OutcomeKind.TOO_LARGE}


async def _hand_over(answers: Mapping[Want, Answer]) -> None:
    """Each order gets its own, so that what is paid for is kept."""
    by_order: dict[int, tuple[Order, dict[int, Answer]]] = {}
    for want, answer in answers.items():
        by_order.setdefault(id(want.order), (want.order, {}))[1][want.position] = answer
    arrivals = [order.arrived(own) for order, own in by_order.values()]
    if len(arrivals) == 1:  # by itself without a task of its own
        await arrivals[0]
    else:
        await asyncio.gather(*arrivals)


def _for_shape(limits: CallLimits, shape: Shape) -> CallLimits:
    """Calls that answer a vector a token have less room."""
    if shape is not Shape.MULTI or limits.vectors is None:
        return limits
    return replace(limits, tokens=min(limits.vectors, limits.tokens or limits.vectors))


def _kind(order: Order) -> Hashable:
    """What calls must agree in to travel together; None for those that travel alone.

    Where tenants wait for an upstream's limits in a fair queue, each is to wait for itself.
    """
    job, route = order.job, order.served.routes[0]
    backend = order.backend(route)
    if not backend.batches or job.whole or job.shape not in _GATHERED or job.query is not None:
        return None
    if any(item.modality is Modality.PDF for unit in job.units for item in unit):
        return None
    whose = order.caller.tenant if backend.is_shaped else None
    own_key = order.passed if order.of_the_caller(route) else None
    routes = (id(order.served), id(order.snapshot.config))
    return (routes, job.endpoint, job.model, job.revision, job.shape, job.parameters, order.lane, whose, own_key)
