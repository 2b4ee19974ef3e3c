"""P: what the gateways on a store did in the last minutes, and how much of each meter is used, for people who look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.ports.limits import Amounts
    from gateway.vocabulary import Meter

SLOT_SECONDS = 5
"""Length of a slot; slot n begins n * SLOT_SECONDS after 1970."""

KEPT_SECONDS = 1_200
"""At least so long a slot is kept."""


class Live(Protocol):
    """Amounts by name and slot of time, summed over all workers, and each worker's last word.

    Every method raises StoreError when the store cannot answer.
    """

    async def add(self, slot: int, amounts: Mapping[str, int]) -> None:
        """Add to a slot's amounts. After a failure it may have been done."""
        ...

    async def slots(self, first: int, until: int) -> dict[int, dict[str, int]]:
        """The amounts of the slots from `first` up to, not including, `until`; empty where nothing was added."""
        ...

    async def report(self, worker: str, text: bytes) -> None:
        """A worker's word, in the place of the one before."""
        ...

    async def reports(self) -> dict[str, bytes]:
        """Every worker's last word, also of those that died."""
        ...

    async def forget(self, worker: str) -> None:
        """A worker is gone."""
        ...


class Readings(Protocol):
    """What is used of meters, looked up without changing anything."""

    async def used(self, meters: Sequence[Meter]) -> list[Amounts | None]:
        """Of each meter what was spent in the last minute, or its period, or is in use now, by all workers.

        None: the store knows nothing of this budget's period yet; the ledger does.

        Raises:
            StoreError: the store does not answer.
        """
        ...
