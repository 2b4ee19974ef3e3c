"""C: health checks: replicas are asked how they are, by a route that costs nothing, before a call finds out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.backends.asking import bearer
from gateway.dispatch.sender import DIALECT
from gateway.errors import TransportError
from gateway.ports import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Served, Snapshot
    from gateway.dispatch.fleet import Fleet
    from gateway.ports import Clock, Transport

CHECK_SECONDS = 4.0
"""Less than an ejection lasts: one that stays ill stays out."""

PATIENCE_SECONDS = 2.0
_OK = 200


class HealthChecks:
    """One for a worker. Only backends that have others beside them are checked: for a lone one nothing would follow."""

    def __init__(self, transport: Transport, fleet: Fleet, snapshot: Callable[[], Snapshot], clock: Clock) -> None:
        self._transport = transport
        self._fleet = fleet
        self._snapshot = snapshot
        self._clock = clock

    async def run(self) -> None:
        """Check for ever."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Ask each replica once; one that is not well is left alone while another can answer."""
        snapshot = self._snapshot()
        several = [served for served in set(snapshot.served.values()) if len(served.routes) > 1]
        names = sorted({route.backend for served in several for route in served.routes})
        well = await asyncio.gather(*[self._well(snapshot, name) for name in names])
        ill = {name for name, is_well in zip(names, well, strict=True) if not is_well}
        for served in several:
            self._eject(snapshot, served, ill)

    def _eject(self, snapshot: Snapshot, served: Served, ill: set[str]) -> None:
        for route in served.routes:
            if route.backend in ill:
                self._fleet.eject(route, snapshot.config.backends[route.backend].url)

    async def _well(self, snapshot: Snapshot, name: str) -> bool:
        """Whether a backend says that it is well, or cannot be asked."""
        backend = snapshot.config.backends[name]
        path = DIALECT[backend.dialect].health
        if path is None:
            return True
        exchange = Exchange("GET", path, headers=bearer(backend.credentials[0]))
        try:
            reply = await self._transport.send(name, exchange, PATIENCE_SECONDS)
        except TransportError:
            return False
        return reply.status == _OK
