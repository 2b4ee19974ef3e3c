"""P: an account store (ports.AccountStore) in dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant
from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import AccountEdit, AuditEntry


class FakeAccounts:
    """`down` makes every call fail; `interrupt` is run once before the next change, as somebody quicker would."""

    def __init__(self) -> None:
        self.down = False
        self.interrupt: Callable[[], None] | None = None
        self.tenants: dict[str, RuntimeTenant] = {}
        self.keys: dict[str, RuntimeKey] = {}
        self.log: list[AuditEntry] = []
        self.loads = 0

    async def version(self) -> str:
        self._check()
        return str(len(self.log) or "")

    async def load(self) -> tuple[str, Accounts]:
        version = await self.version()
        self.loads += 1
        return version, Accounts(dict(self.tenants), dict(self.keys))

    async def change(self, version: str, edits: Sequence[AccountEdit], entry: AuditEntry) -> bool:
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
        if version != await self.version():
            return False
        for edit in edits:
            records = self.tenants if edit.kind == "tenant" else self.keys
            records.pop(edit.name, None)
            if isinstance(edit.record, RuntimeTenant):
                self.tenants[edit.name] = edit.record
            elif edit.record is not None:
                self.keys[edit.name] = edit.record
        self.log.append(entry)
        return True

    async def audit(self, before: str, count: int) -> list[tuple[str, AuditEntry]]:
        self._check()
        listed = [(f"{at}-0", entry) for at, entry in enumerate(self.log, 1)]
        newest = int(before.partition("-")[0]) - 1 if before else len(listed)
        return listed[:newest][::-1][:count]

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")
