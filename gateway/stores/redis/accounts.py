"""E: tenants, keys and the audit log in Redis (ports.AccountStore)."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant
from gateway.errors import StoreError
from gateway.ports import AuditEntry
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.config.section import Section
    from gateway.ports import AccountEdit, Clock
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

    Record = TypeVar("Record", bound=Section)

AUDIT_ENTRIES = 10_000
"""About as many entries of the audit log are kept; older ones go."""

_HASHES: Final = {"tenant": 2, "key": 3}
"""Position in Keys.accounts, counted from 1 as Lua does."""

_log = logging.getLogger("gateway.accounts")


class RedisAccounts:
    """One hash of tenants, one of keys. The version is a fresh word each time, so that none ever comes back."""

    def __init__(self, line: Line, keys: Keys, clock: Clock) -> None:
        self._line = line
        self._keys = keys.accounts
        self._clock = clock
        self._change = Script("account_change")

    async def version(self) -> str:
        """A word that changes with every change. Raises StoreError."""
        found = await self._line.ask("GET", self._keys[0])
        return "" if found is None else bytes(found).decode()

    async def load(self) -> tuple[str, Accounts]:
        """All records. One that cannot be read is left out, so that its key is refused. Raises StoreError."""
        version = await self.version()
        tenants = await self._line.ask("HGETALL", self._keys[1])
        keys = await self._line.ask("HGETALL", self._keys[2])
        return version, Accounts(_records(tenants, RuntimeTenant), _records(keys, RuntimeKey))

    async def change(self, version: str, edits: Sequence[AccountEdit], entry: AuditEntry) -> bool:
        """Make all edits and log them if the version is still this one. Raises StoreError."""
        arguments: list[str | int] = [version, self._clock.identifier(), json.dumps(asdict(entry)), AUDIT_ENTRIES]
        for edit in edits:
            arguments += [
                _HASHES[edit.kind],
                edit.name,
                "" if edit.record is None else edit.record.model_dump_json(),
            ]
        return bool(await self._change.run(self._line, self._keys, arguments))

    async def audit(self, before: str, count: int) -> list[tuple[str, AuditEntry]]:
        """Entries of the audit log, newest first. Raises StoreError."""
        newest = f"({before}" if before else "+"
        found = await self._line.ask("XREVRANGE", self._keys[3], newest, "-", "COUNT", count)
        try:
            return [(bytes(at).decode(), AuditEntry(**json.loads(fields[b"entry"]))) for at, fields in found]
        except (ValueError, KeyError, TypeError):
            raise StoreError("the audit log is damaged") from None


def _records(found: Mapping[bytes, bytes], form: type[Record]) -> dict[str, Record]:
    read = {}
    for name, record in found.items():
        try:
            read[name.decode()] = form.model_validate_json(record)
        except (ValidationError, UnicodeDecodeError):
            _log.warning("a record of a %s in the store cannot be read and is left out", form.__name__)
    return read
