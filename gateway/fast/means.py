"""C: what answers without the pipeline stand on, and how they count what they answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.admit.limits import remaining
from gateway.vocabulary import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from gateway.admit.bulk_gate import BulkGate
    from gateway.fast.reports import FastObserver, Reports
    from gateway.leasing.leases import Leases
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock, Trace
    from gateway.settle.ledger import Books
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Account, Meter, Remaining, Tally


@dataclass(frozen=True, slots=True)
class Means:
    """A worker's parts, by name."""

    pipeline: Pipeline
    leases: Leases
    trace: Trace
    bulk_gate: BulkGate
    books: Books
    observer: FastObserver
    clock: Clock
    tasks: TaskGroup
    reports: Reports

    def count(self, account: Account, tally: Tally) -> Account:
        """Add a call to the ledger, in the hour that it is now; the account as it is from now on."""
        hour = self.clock.epoch() // SECONDS_PER_HOUR
        if account.hour != hour:
            account = account._replace(hour=hour)
        self.books.add_row(account, tally)
        return account

    def left(self, tenant: Meter | None) -> Remaining | None:
        """What headers tell is left of a tenant's meter, if it has one."""
        return None if tenant is None else remaining(self.leases.of(tenant).used, tenant.limits)
