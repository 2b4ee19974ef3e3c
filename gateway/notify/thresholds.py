"""C: notices when tenants that were just charged have used up a share of a budget or a balance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.admit.budget import meters
from gateway.errors import StoreError
from gateway.notify.occasion import notice, reached
from gateway.vocabulary import SECONDS_PER_HOUR, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.admit.budget import Meter
    from gateway.config.snapshot import Snapshot
    from gateway.config.spending import Balance, Budget
    from gateway.ports import Clock, Ledger, Notices, Observer
    from gateway.vocabulary import Batch

LOOK_SECONDS = 1.0

ROLE = "notices"

_OPEN_HOURS = 2
"""The running hour and the one before it are read each time; the sum of those before is kept for an hour."""


@dataclass(frozen=True, slots=True)
class Records:
    """Where it is written what was used and added, and what was told."""

    ledger: Ledger
    notices: Notices


class Thresholds:
    """Looks at what the ledger has, a second after a batch came to it at the latest, once for each tenant in it.

    Whoever brings a batch looks after bringing it, so one of the workers sees all that there is. What is reached and
    not claimed yet is posted: that nobody looked when it was crossed (a worker died) makes it late, not lost.
    `snapshot` gives the configuration in force.
    """

    def __init__(self, records: Records, snapshot: Callable[[], Snapshot], clock: Clock, observer: Observer) -> None:
        self._records = records
        self._snapshot = snapshot
        self._clock = clock
        self._observer = observer
        self._touched: dict[str, set[int]] = defaultdict(set)
        self._older: dict[tuple[str, str], tuple[int, int, int]] = {}

    def touched(self, batch: Batch) -> None:
        """The ledger has this batch."""
        for account in batch.tallies:
            self._touched[account.tenant].add(account.hour)

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look at every tenant that was touched since the last time; while the store is away they wait."""
        waiting = list(self._touched)
        try:
            while waiting:
                tenant = waiting.pop()
                hours = self._touched.pop(tenant)
                try:
                    await self._look_at(tenant, hours)
                except StoreError:
                    self._touched[tenant] |= hours
                    raise
        except StoreError:
            self._observer.store_failure(ROLE)

    async def _look_at(self, tenant: str, hours: set[int]) -> None:
        snapshot = self._snapshot()
        budgets, balance = snapshot.spending(tenant, snapshot.tier_of(tenant))
        if not (budgets or balance):
            return
        closed = self._clock.epoch() // SECONDS_PER_HOUR + 1 - _OPEN_HOURS
        if min(hours) < closed:
            self._forget(tenant)
        for meter in await self._meters(tenant, budgets, balance, hours):
            for occasion in reached(tenant, meter, await self._used(tenant, meter, closed)):
                addresses = [webhook.id for webhook in snapshot.config.webhooks if occasion.event in webhook.events]
                now = self._clock.epoch()
                told = [notice(occasion, address, now) for address in addresses]
                if await self._records.notices.post(occasion.claim, meter.end, told):
                    self._observer.threshold(tenant, meter.name, occasion.share_text)

    async def _meters(
        self, tenant: str, budgets: tuple[Budget, ...], balance: Balance | None, hours: set[int]
    ) -> Iterable[Meter]:
        """Those in force in any of the hours: what comes late may belong to a period that has ended."""
        unit = [meter.unit for meter in meters((), balance, 0)]
        added = await self._records.ledger.topped_up(tenant, unit[0]) if unit else 0
        found = {
            (meter.name, meter.start): meter
            for hour in sorted(hours)
            for meter in meters(budgets, balance, hour * SECONDS_PER_HOUR, added)
        }
        return found.values()

    async def _used(self, tenant: str, meter: Meter, closed: int) -> int:
        if meter.end is None:
            ever = await self._records.ledger.lifetime(tenant)
            return ever.upstream_tokens if meter.unit == "tokens" else ever.nanos
        first, last = meter.start // SECONDS_PER_HOUR, meter.end // SECONDS_PER_HOUR
        closed = max(first, min(closed, last))
        key = tenant, meter.name
        kept = self._older.get(key)
        if kept is None or kept[:2] != (first, closed):
            kept = self._older[key] = (first, closed, await self._nanos(tenant, first, closed))
        return kept[2] + await self._nanos(tenant, closed, last)

    async def _nanos(self, tenant: str, since: int, until: int) -> int:
        if since == until:
            return 0
        return total(tally for _, tally in await self._records.ledger.rows(tenant, since, until)).nanos

    def _forget(self, tenant: str) -> None:
        for key in [key for key in self._older if key[0] == tenant]:
            del self._older[key]
