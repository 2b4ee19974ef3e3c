"""P: a ledger (ports.Ledger) in memory, which can be away and can forget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.vocabulary import SECONDS_PER_HOUR, Account, Batch, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Unit


@dataclass
class FakeLedger:
    """`sums` is what it holds; `taken` are the batches that count; `away` makes every call fail."""

    epoch: Callable[[], int] = lambda: 0
    retain_days: int = 400
    sums: dict[Account, Tally] = field(default_factory=dict)
    ever: dict[str, Tally] = field(default_factory=dict)
    taken: dict[tuple[str, str], tuple[int, set[int]]] = field(default_factory=dict)
    calls: list[tuple[Batch, int]] = field(default_factory=list)
    added: dict[tuple[str, str], int] = field(default_factory=dict)
    away: bool = False

    async def add(self, batch: Batch, settled: int) -> bool:
        if self.away:
            raise StoreError("away")
        self.calls.append((batch, settled))
        added = [self._add(batch, settled, tenant) for tenant in {account.tenant for account in batch.tallies}]
        return any(added)

    def _add(self, batch: Batch, settled: int, tenant: str) -> bool:
        before, taken = self.taken.get((tenant, batch.writer), (0, set()))
        settled = max(settled, before)
        oldest = self.epoch() // SECONDS_PER_HOUR - self.retain_days * 24
        self.sums = {key: tally for key, tally in self.sums.items() if key.tenant != tenant or key.hour >= oldest}
        if batch.sequence <= settled or batch.sequence in taken:
            return False
        kept = {sequence for sequence in taken if sequence > settled}
        self.taken[tenant, batch.writer] = (settled, kept | {batch.sequence})
        for account, tally in batch.tallies.items():
            if account.tenant == tenant:
                self.sums[account] = self.sums.get(account, Tally()).plus(tally)
                self.ever[tenant] = self.ever.get(tenant, Tally()).plus(tally)
        return True

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        if self.away:
            raise StoreError("away")
        return [row for row in self.sums.items() if row[0].tenant == tenant and since <= row[0].hour < until]

    async def lifetime(self, tenant: str) -> Tally:
        if self.away:
            raise StoreError("away")
        return self.ever.get(tenant, Tally())

    async def topped_up(self, tenant: str, unit: Unit) -> int:
        if self.away:
            raise StoreError("away")
        return self.added.get((tenant, unit), 0)

    async def top_up(self, tenant: str, unit: Unit, amount: int) -> int:
        self.added[tenant, unit] = await self.topped_up(tenant, unit) + amount
        return self.added[tenant, unit]

    async def tenants(self) -> list[str]:
        if self.away:
            raise StoreError("away")
        return sorted({tenant for tenant, _ in self.taken})

    def forget(self) -> None:
        """As a store that was emptied."""
        self.sums.clear()
        self.ever.clear()
        self.taken.clear()
