"""P: the tenants of one lane of the fair queue, by the virtual time at which each may go on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.dispatch.fair_queue import Ticket

SLACK = 64
"""Records of what left are dropped all at once when they are this many more than what waits."""


@dataclass(eq=False, slots=True)
class _Flow:
    """One tenant's tickets in one lane; `stamp` is the virtual time at which the next one may start."""

    tenant: str
    stamp: float
    tickets: deque[Ticket] = field(default_factory=deque)


class LaneQueue:
    """Flows by their stamps. A flow that waits for nothing is kept until virtual time has passed its stamp."""

    def __init__(self) -> None:
        self.length = 0
        self._time = 0.0
        self._flows: dict[str, _Flow] = {}
        self._waiting: list[tuple[float, int, _Flow]] = []
        self._idle: list[tuple[float, int, _Flow]] = []
        self._order = count()

    def add(self, ticket: Ticket) -> None:
        """Queue behind what the tenant has waiting."""
        flow = self._flow(ticket.tenant)
        flow.tickets.append(ticket)
        if len(flow.tickets) == 1:
            flow.stamp = max(flow.stamp, self._time)
            self._push(flow)
        self._entered(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Queue before what the tenant has waiting, and before others of the same stamp."""
        flow = self._flow(ticket.tenant)
        flow.stamp = max(0.0, flow.stamp - ticket.cost)
        flow.tickets.appendleft(ticket)
        self._push(flow, before=True)
        self._entered(ticket)

    def withdraw(self, ticket: Ticket) -> None:
        """Tickets in the middle stay where they are until they would be next."""
        flow = self._flows[ticket.tenant]
        ticket.queued = False
        _trim(flow)
        if not flow.tickets:
            self._push(flow)
        self._left()

    def head(self) -> Ticket:
        """Who is next; there must be one."""
        return self._first().tickets[0]

    def serve(self) -> Ticket:
        """The head leaves, and its tenant's next one may start when its share allows."""
        flow = self._first()
        heappop(self._waiting)
        ticket = flow.tickets.popleft()
        ticket.queued = False
        self._time = max(self._time, flow.stamp)
        flow.stamp += ticket.cost
        _trim(flow)
        self._push(flow)
        self._purge()
        self._left()
        return ticket

    def _first(self) -> _Flow:
        """The flow with the smallest stamp that has a ticket; outdated records go on the way."""
        while True:
            stamp, _, flow = self._waiting[0]
            if flow.tickets and stamp == flow.stamp:
                return flow
            heappop(self._waiting)

    def _flow(self, tenant: str) -> _Flow:
        return self._flows.setdefault(tenant, _Flow(tenant, self._time))

    def _push(self, flow: _Flow, *, before: bool = False) -> None:
        order = next(self._order)
        record = (flow.stamp, -order if before else order, flow)
        heappush(self._waiting if flow.tickets else self._idle, record)
        if len(self._waiting) > 2 * len(self._flows) + SLACK:
            self._waiting = [(flow.stamp, next(self._order), flow) for flow in self._flows.values() if flow.tickets]
            heapify(self._waiting)

    def _purge(self) -> None:
        while self._idle and self._idle[0][0] <= self._time:
            _, _, flow = heappop(self._idle)
            if not flow.tickets and flow.stamp <= self._time and self._flows.get(flow.tenant) is flow:
                del self._flows[flow.tenant]

    def _entered(self, ticket: Ticket) -> None:
        ticket.queued = True
        self.length += 1

    def _left(self) -> None:
        """When nobody waits any more, the next ones start as equals."""
        self.length -= 1
        if not self.length:
            self._time = 0.0
            self._flows.clear()
            self._waiting.clear()
            self._idle.clear()


def _trim(flow: _Flow) -> None:
    while flow.tickets and not flow.tickets[0].queued:
        flow.tickets.popleft()
