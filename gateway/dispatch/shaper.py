"""C: turns at backends: calls wait in a fair queue for what the upstream allows, instead of being refused."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.backends.dialect import OutcomeKind
from gateway.dispatch.station import Station

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from gateway.backends.dialect import Outcome
    from gateway.config.backends import Backend
    from gateway.dispatch.fair_queue import Ticket
    from gateway.dispatch.pool import Outside
    from gateway.dispatch.upstream_key import Turn


_UNCOUNTED = frozenset({OutcomeKind.INVALID, OutcomeKind.MODEL_NOT_FOUND, OutcomeKind.REFUSED})
"""A call that was refused costs no tokens; one that was lost on its way may have been counted."""


class Shaper:
    """One for a worker: a station for each backend, which queues; its pool, which holds the keys."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._stations: dict[str, tuple[Backend, Station]] = {}

    @property
    def stations(self) -> dict[str, Station]:
        """Those of the backends that were asked so far, by name."""
        return {name: station for name, (_, station) in self._stations.items()}

    @asynccontextmanager
    async def turn(self, name: str, backend: Backend, ticket: Ticket) -> AsyncGenerator[Turn, None]:
        """Wait for the right to send one call to backend `name`, and hold it while the block runs.

        A ticket that had its turn before, and comes again, waits at the head of its tenant's calls.

        Raises:
            LateError: the ticket's time ran out, or is sure to.
        """
        station = self.station(name, backend)
        turn = station.at_once(ticket) or await station.wait(ticket)
        try:
            yield turn
        finally:
            station.end(turn)

    def report(self, name: str, turn: Turn, outcome: Outcome) -> bool:
        """What came of a turn's call to backend `name`: a refusal for its rate pauses the key, for all workers.

        So does a refusal of the key itself where the backend has others: True when the call may be sent with one.
        """
        if outcome.kind is OutcomeKind.BUSY:
            self._stations[name][1].pool.refused(turn, outcome.retry_after)
            return False
        turn.key.answer(turn)
        if outcome.kind is OutcomeKind.ANSWERED:
            # A backend that counts nothing has not told that the call was free.
            turn.used = outcome.tokens or None
        elif outcome.kind in _UNCOUNTED:
            turn.used = 0
        return outcome.of_key and self._stations[name][1].pool.set_aside(turn)

    def station(self, name: str, backend: Backend) -> Station:
        """The station of a backend. Other settings make a new one; the old one serves those who wait there."""
        known = self._stations.get(name)
        if known is None or known[0] is not backend:
            known = self._stations[name] = (backend, Station(name, backend, self._outside))
        return known[1]
