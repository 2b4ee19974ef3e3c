"""C: how the limits in force stand now, as the store knows it of all workers; nothing is changed by looking."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.admit.in_force import EVERYBODY, Place, bounds, callers_of, own_places, shared_places
from gateway.ports import NOTHING, Amounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.admit.budgets import Budgets
    from gateway.admit.in_force import Bound
    from gateway.config.snapshot import Snapshot
    from gateway.ports.live import Readings
    from gateway.vocabulary import Caller, Meter

MOST_TENANTS = 200
"""So many tenants are looked at unless one is named; each meter is three questions to the store."""

_AT_ONCE = 16


class Standing:
    """Reads what workers have told, a fifth of a second ago at most while they spend."""

    def __init__(
        self,
        readings: Readings,
        budgets: Budgets,
        upstream: Callable[[Snapshot], Iterable[tuple[str, Meter]]] = lambda _: (),
    ) -> None:
        """`upstream`: what our own keys allow, by name."""
        self._upstream = upstream
        self._readings = readings
        self._budgets = budgets
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def of(self, snapshot: Snapshot, tenant: str | None = None) -> list[Bound]:
        """Every limit of a tenant, or of the first MOST_TENANTS by name and of our own keys, and those of everybody.

        Raises:
            StoreError: the store does not answer.
        """
        callers = callers_of(snapshot)
        chosen = [tenant] if tenant is not None else list(callers)[:MOST_TENANTS]
        ours = (Place(EVERYBODY, name, meter) for name, meter in self._upstream(snapshot))
        found = await asyncio.gather(
            *(self._tenant(snapshot, name, callers[name]) for name in chosen if name in callers),
            self._used((*shared_places(snapshot), *(ours if tenant is None else ()))),
        )
        return [row for rows in found for row in rows]

    async def _tenant(self, snapshot: Snapshot, name: str, callers: list[Caller]) -> list[Bound]:
        async with self._turns:
            budgets = await self._budgets.meters(snapshot, callers[0])
            spending = (Place(name, meter.subject.rpartition(":")[2], meter) for meter in budgets)
            return await self._used((*own_places(name, callers), *spending))

    async def _used(self, places: Iterable[Place]) -> list[Bound]:
        places = list(places)
        amounts = await self._readings.used([place.meter for place in places])
        known = [
            await self._spent(place.meter) if used is None else used
            for place, used in zip(places, amounts, strict=True)
        ]
        return [row for place, used in zip(places, known, strict=True) for row in bounds(place, used)]

    async def _spent(self, meter: Meter) -> Amounts:
        """A budget that nobody asked for since its period began, or since the store lost it."""
        return NOTHING._replace(tokens=await self._budgets.used(meter))


def nearest(rows: Iterable[Bound], count: int) -> list[Bound]:
    """Those of which most is used, the fullest first."""
    return sorted(rows, key=lambda row: -row.share)[:count]
