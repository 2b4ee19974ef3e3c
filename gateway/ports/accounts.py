"""P: tenants and keys made at run time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant


@dataclass(frozen=True, slots=True)
class AccountEdit:
    """A record of a tenant or a key that is put in the place of what is there, or taken out (None)."""

    name: str
    kind: Literal["tenant", "key"]
    record: RuntimeTenant | RuntimeKey | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what and when (seconds since 1970); never a key, its digest or a token."""

    at: int
    who: str
    what: str
    target: str
    details: Mapping[str, str] = field(default_factory=dict)


class AccountStore(Protocol):
    """Tenants and keys made at run time. Every method raises StoreError when the store cannot answer."""

    async def version(self) -> str:
        """A word that changes with every change; empty before the first."""
        ...

    async def load(self) -> tuple[str, Accounts]:
        """All records, and a version that is not newer than they are."""
        ...

    async def change(self, version: str, edits: Sequence[AccountEdit], entry: AuditEntry) -> bool:
        """Make all edits and log them if the version is still this one; False, and nothing, if it is another."""
        ...

    async def audit(self, before: str, count: int) -> list[tuple[str, AuditEntry]]:
        """At most `count` entries with their ids, newest first; with an id `before`, those older than that one."""
        ...
