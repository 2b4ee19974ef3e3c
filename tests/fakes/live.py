"""P: what gateways did lately (ports.Live) and readings of meters (ports.Readings), in dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes.quota import FakeQuota

    from gateway.ports import Amounts
    from gateway.vocabulary import Meter


class FakeLive:
    """`down` makes every call fail."""

    def __init__(self) -> None:
        self.down = False
        self.amounts: dict[int, Counter[str]] = defaultdict(Counter)
        self.words: dict[str, bytes] = {}

    async def add(self, slot: int, amounts: Mapping[str, int]) -> None:
        self._up()
        self.amounts[slot].update(amounts)

    async def slots(self, first: int, until: int) -> dict[int, dict[str, int]]:
        self._up()
        return {slot: dict(self.amounts[slot]) for slot in range(first, until)}

    async def report(self, worker: str, text: bytes) -> None:
        self._up()
        self.words[worker] = text

    async def reports(self) -> dict[str, bytes]:
        self._up()
        return dict(self.words)

    async def forget(self, worker: str) -> None:
        self._up()
        self.words.pop(worker, None)

    def _up(self) -> None:
        if self.down:
            raise StoreError("down")


class FakeReadings:
    """Reads a FakeQuota."""

    def __init__(self, quota: FakeQuota) -> None:
        self._quota = quota

    async def used(self, meters: Sequence[Meter]) -> list[Amounts | None]:
        if self._quota.down:
            raise StoreError("down")
        return [self._of(meter) for meter in meters]

    def _of(self, meter: Meter) -> Amounts | None:
        seeded = self._quota._subjects[meter.subject].seeded
        return None if meter.period is not None and seeded != meter.period else self._quota.usage(meter.subject)
