"""P: calls to backends as traces see them: whose they are, and what they carry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.vocabulary import Departure

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.dispatch.fleet import Trip
    from gateway.dispatch.order import Order
    from gateway.ports import Exchange


def departing(
    exchange: Exchange, trip: Trip, orders: Collection[Order], *, items: int = 1, url: str | None = None
) -> Exchange:
    """The exchange with the trace context of those it is for; as it was where nobody traces them.

    A call for several requests is one of the first that is recorded, and linked to the others. `items` are its inputs,
    `url` is where it goes if not to the backend's own address.
    """
    traces = {id(one.trace): one.trace for one in orders if one.trace is not None}
    if not traces:
        return exchange
    first = next((trace for trace in traces.values() if trace.recorded), next(iter(traces.values())))
    order = next(iter(orders))
    backend = order.backend(trip.route)
    departure = Departure(
        trip.route.backend,
        backend.dialect,
        url or backend.url,
        order.job.endpoint,
        trip.route.backend_model,
        items,
        trip.tries,
        trip.hedged,
    )
    trip.span = first.departs(departure, [trace for trace in traces.values() if trace is not first])
    return replace(exchange, headers={**exchange.headers, **trip.span.headers})


def came_back(trip: Trip, status: int) -> None:
    """There is a reply, with that HTTP status."""
    if trip.span is not None:
        trip.span.status = status
