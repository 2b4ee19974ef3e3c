"""C: what one call to a model's backends may carry: the config's word, else the backend's own, else the dialect's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from gateway.backends.dialect import CallLimits
from gateway.dispatch.sender import DIALECT
from gateway.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.config.backends import Backend
    from gateway.config.snapshot import Route
    from gateway.dispatch.order import Order
    from gateway.ports import Clock, Transport
    from gateway.tasks import TaskGroup

INQUIRY_SECONDS = 2.0
"""How long a backend has to tell its limits; the calls that wait for that go on without."""

FRESH_SECONDS = 600.0
AGAIN_SECONDS = 10.0
"""When to ask a backend again: after an answer, and after none."""

_NOTHING = CallLimits()
_NEVER = float("-inf")


@dataclass(slots=True)
class _Told:
    """What a backend told of a model, and when (monotonic seconds) to ask again."""

    limits: CallLimits = _NOTHING
    stale: float = _NEVER
    inquiry: asyncio.Task[None] | None = None
    settled: tuple[Backend, CallLimits] | None = None


class KnownLimits:
    """One for a worker. The first call to a backend waits for its answer; later ones use what is known."""

    def __init__(self, transport: Transport, clock: Clock, tasks: TaskGroup) -> None:
        self._transport = transport
        self._clock = clock
        self._tasks = tasks
        self._told: dict[tuple[str, str, str], _Told] = {}

    def at_once(self, order: Order) -> CallLimits | None:
        """As `of` where that is known already: of one backend, whose settings are the same as the last time."""
        if len(order.served.routes) > 1:
            return None
        route = order.served.routes[0]
        backend = order.backend(route)
        told = self._told.get((route.backend, backend.url, route.backend_model))
        if told is None or told.settled is None or self._clock.monotonic() >= told.stale:
            return None
        return told.settled[1] if told.settled[0] is backend else None

    async def of(self, order: Order) -> CallLimits:
        """The least of what each of an order's backends takes: any of them may have to stand in."""
        return least([await self._of_route(order.backend(route), route) for route in order.served.routes])

    async def _of_route(self, backend: Backend, route: Route) -> CallLimits:
        dialect = DIALECT[backend.dialect]
        known = await self._ask(backend, route)
        told = known.limits
        limits = CallLimits(
            inputs=backend.max_inputs or told.inputs or dialect.limits.inputs,
            documents=backend.max_documents or told.documents or dialect.limits.documents,
            tokens=backend.max_tokens or told.tokens or dialect.limits.tokens,
            size=told.size or dialect.limits.size,
            each=told.each or dialect.limits.each,
            media=dialect.limits.media,
            vectors=dialect.limits.vectors,
        )
        known.settled = backend, limits
        return limits

    async def _ask(self, backend: Backend, route: Route) -> _Told:
        name = (route.backend, backend.url, route.backend_model)
        known = self._told.get(name)
        if known is None:
            never = DIALECT[backend.dialect].inquire(None) is None
            known = self._told[name] = _Told(stale=float("inf") if never else _NEVER)
        if self._clock.monotonic() >= known.stale and known.inquiry is None:
            known.inquiry = self._tasks.spawn(self._inquire(backend, route, known), f"limits of {route.backend}")
        if known.inquiry is not None and known.stale == _NEVER:
            await asyncio.wait({known.inquiry})
        return known

    async def _inquire(self, backend: Backend, route: Route, known: _Told) -> None:
        dialect = DIALECT[backend.dialect]
        exchange = dialect.inquire(backend.credentials[0])
        rest = AGAIN_SECONDS
        try:
            if exchange is not None:
                reply = await self._transport.send(route.backend, exchange, INQUIRY_SECONDS)
                known.limits, rest = dialect.learn(reply, route.backend_model), FRESH_SECONDS
                known.settled = None
        except TransportError:
            pass
        finally:
            known.stale = self._clock.monotonic() + rest
            known.inquiry = None


def least(several: Iterable[CallLimits]) -> CallLimits:
    """The smallest of each limit."""
    listed = list(several)
    if len(listed) == 1:
        return listed[0]

    def smallest(name: str) -> int | None:
        return min((found for limits in listed if (found := getattr(limits, name)) is not None), default=None)

    return CallLimits(**{field.name: smallest(field.name) for field in fields(CallLimits)})
