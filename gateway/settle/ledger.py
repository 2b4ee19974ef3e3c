"""C: counts answered requests, and brings what was counted to the ledger: soon, once, and whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.errors import StoreError
from gateway.vocabulary import SECONDS_PER_HOUR, Account, Batch, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Clock, Journal, Ledger, Observer, Orphan
    from gateway.vocabulary import Facts

FLUSH_SECONDS = 1.0
ADOPT_SECONDS = 5.0

SURE_SECONDS = 5.0
"""An append-only file that is synced every second has a batch after this long, even when a sync is late."""

MOST_ROWS = 1_000
"""A batch with more rows is ended early: one script must not hold up the store."""

ROLE = "ledger"
_NOTHING = Tally()


class Count(Protocol):
    """Books.add, by whoever answers."""

    def __call__(self, *answered: Facts) -> None:
        """Count answered requests."""
        ...


@dataclass(slots=True)
class _Adopted:
    """`sent_at`: when all of it was last added; None before."""

    orphan: Orphan
    sent_at: float | None = None


class Books:
    """What this process counted: open, then waiting to be sent, then sent and kept until the store is sure to have it.

    A batch is sent again after `SURE_SECONDS`: a store that was killed and came back without it takes it then, one
    that has it changes nothing. Only then the journal lets go of it.

    `flushed` is told each batch that the ledger took, each time, be it of a dead process; it must not take long.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        clock: Clock,
        observer: Observer,
        flushed: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._observer = observer
        self._flushed = flushed
        self._open: dict[Account, Tally] = {}
        self._waiting: deque[Batch] = deque()
        self._sent: deque[tuple[float, Batch]] = deque()
        self._last = 0
        self._full = False
        self._adopted: list[_Adopted] = []
        self._flushing = asyncio.Lock()

    def add(self, *answered: Facts) -> None:
        """Count answered requests, those of one account in one row. Meets nothing but memory: some microseconds."""
        hour = self._clock.epoch() // SECONDS_PER_HOUR
        sums: dict[Account, Tally] = {}
        for facts in answered:
            account = Account(hour, facts.tenant, facts.key_id, facts.model, facts.endpoint)
            tally = Tally(
                1, facts.reported_tokens, facts.paid_tokens, facts.nanos, facts.saved_tokens, facts.saved_nanos
            )
            sums[account] = sums[account].plus(tally) if account in sums else tally
        for account, tally in sums.items():
            self.add_row(account, tally)

    def add_row(self, account: Account, tally: Tally) -> None:
        """Count what was made of the facts before."""
        if not self._journal.append(account, tally):
            self._make_room(account, tally)
        self._open[account] = self._open.get(account, _NOTHING).plus(tally)
        if len(self._open) >= MOST_ROWS:
            self._cut()

    def _make_room(self, account: Account, tally: Tally) -> None:
        if not self._full:
            self._cut()
            self._full = not self._journal.extend()
        if self._full or not self._journal.append(account, tally):
            self._observer.unjournaled()

    def _cut(self) -> None:
        if self._open:
            self._last = self._journal.cut()
            self._waiting.append(Batch(self._journal.writer, self._last, self._open))
            self._open = {}

    async def run(self) -> None:
        """Flush every second, adopt every few, until cancelled."""
        adopted_at = -ADOPT_SECONDS
        while True:
            if self._clock.monotonic() - adopted_at >= ADOPT_SECONDS:
                adopted_at = self._clock.monotonic()
                self._adopted += [_Adopted(orphan) for orphan in await self._journal.orphans()]
            try:
                await self.flush()
                await self.confirm()
                await self._inherit()
            except StoreError:
                self._observer.store_failure(ROLE)
            await self._clock.sleep(FLUSH_SECONDS)

    async def flush(self) -> None:
        """Bring everything counted so far to the ledger. Raises StoreError; then it waits for the next time."""
        async with self._flushing:
            await self._send()
            self._cut()
            await self._send()

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        """As ports.Ledger, with what this process has not sent yet; an account may come twice. Raises StoreError."""
        async with self._flushing:  # what is being sent would be seen in both places
            rows = await self._ledger.rows(tenant, since, until)
            here = [*(batch.tallies for batch in self._waiting), self._open]
            rows += [row for tallies in here for row in tallies.items() if row[0].tenant == tenant]
        return [row for row in rows if since <= row[0].hour < until]

    async def _send(self) -> None:
        while self._waiting:
            batch = self._waiting[0]
            await self._ledger.add(batch, self._settled())
            self._waiting.popleft()
            self._sent.append((self._clock.monotonic(), batch))
            self._flushed(batch)

    async def confirm(self) -> None:
        """Ask again for what was sent a while ago, and let the journal forget what is sure. Raises StoreError."""
        async with self._flushing:
            due = self._clock.monotonic() - SURE_SECONDS
            while self._sent and self._sent[0][0] <= due:
                batch = self._sent[0][1]
                lost = await self._ledger.add(batch, self._settled())
                self._sent.popleft()
                if lost:
                    self._sent.append((self._clock.monotonic(), batch))
                self._flushed(batch)
            await self._journal.release(self._settled())
            if self._full:
                self._cut()
                self._full = not self._journal.extend()

    def _settled(self) -> int:
        """Up to this batch everything is in the ledger for good."""
        unsure = [batch.sequence for _, batch in self._sent] + [batch.sequence for batch in self._waiting]
        return min(unsure, default=self._last + 1) - 1

    async def _inherit(self) -> None:
        """What dead processes left, under their names: twice, like our own."""
        for entry in list(self._adopted):
            if entry.sent_at is not None and self._clock.monotonic() - entry.sent_at < SURE_SECONDS:
                continue
            batches = entry.orphan.batches
            added = [await self._ledger.add(batch, batches[0].sequence - 1) for batch in batches]
            for batch in batches:
                self._flushed(batch)
            if batches and (entry.sent_at is None or any(added)):
                entry.sent_at = self._clock.monotonic()
            else:
                self._adopted.remove(entry)
                await entry.orphan.drop()

    async def close(self) -> None:
        """Flush a last time; what the store does not take, or is not sure to have, the next process adopts."""
        try:
            await self.flush()
        except StoreError:
            self._observer.store_failure(ROLE)
        for entry in self._adopted:
            entry.orphan.leave()
        await self._journal.close()
