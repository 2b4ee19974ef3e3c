"""P: what the ledger needs: its rows in a store, its journal on a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.vocabulary import Account, Batch, Tally


Unit: TypeAlias = Literal["tokens", "nanos"]
"""What a balance is counted in: tokens as counted upstream, or nano-dollars."""


class Ledger(Protocol):
    """What was used and what it cost, by the hour. Every method raises StoreError when the store cannot answer."""

    async def add(self, batch: Batch, settled: int) -> bool:
        """Add a batch's tallies unless that was done before; whether anything was added now.

        `settled`: of the same writer, every batch up to this one was added for good. A batch that failed half way may
        be sent again.
        """
        ...

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        """A tenant's rows of the hours from `since` up to, not including, `until`; in no order."""
        ...

    async def lifetime(self, tenant: str) -> Tally:
        """Everything that a tenant was ever counted, in hours that are gone, too."""
        ...

    async def topped_up(self, tenant: str, unit: Unit) -> int:
        """What was added to a tenant's balance so far, in tokens or nano-dollars."""
        ...

    async def top_up(self, tenant: str, unit: Unit, amount: int) -> int:
        """Add to a balance; what was added so far, with this. After a failure it may have been added: look first."""
        ...

    async def tenants(self) -> list[str]:
        """Every tenant that was ever counted, sorted."""
        ...


class Orphan(Protocol):
    """The journal of a process that died. It is this process's until `drop` or `leave`."""

    batches: Sequence[Batch]

    async def drop(self) -> None:
        """Everything in it is in the ledger."""
        ...

    def leave(self) -> None:
        """Give it back, for another process to adopt."""
        ...


class Journal(Protocol):
    """What this process counted and the ledger may not have yet, where the death of the process does not take it.

    Entries belong to the batch that the next `cut` ends. Batches are numbered from 1.
    """

    writer: str

    def append(self, account: Account, tally: Tally) -> bool:
        """Keep an entry; False when there is no room before a `cut` and an `extend`."""
        ...

    def cut(self) -> int:
        """End a batch; its sequence number."""
        ...

    def extend(self) -> bool:
        """Make room after a `cut`; False when the journal has its full size or the disk refuses."""
        ...

    async def release(self, sequence: int) -> None:
        """The batches up to this one are in the ledger for good."""
        ...

    async def orphans(self) -> Sequence[Orphan]:
        """Journals whose processes have died, and that nobody else adopts now."""
        ...

    async def close(self) -> None:
        """Leave what is not released for another process to adopt."""
        ...
