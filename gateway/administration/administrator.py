"""C: makes and changes tenants and API keys at run time; every change is logged with who made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.administration.changes import (
    Change,
    key_created,
    key_of,
    key_revoked,
    key_rotated,
    tenant_changed,
    tenant_created,
    tenant_deleted,
)
from gateway.authenticate import digest, issue
from gateway.config.accounts import RuntimeKey
from gateway.errors import resource_busy
from gateway.ports import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.accounts import Accounts, RuntimeTenant, TenantChanges
    from gateway.config.schema import Config
    from gateway.ports import AccountStore, Clock

_TRIES = 8
_KEY_BYTES = 30
_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key just made: the only time that it can be read. `id` names it from then on."""

    id: str
    key: str = field(repr=False)


class Administrator:
    """All methods raise StoreError, and GatewayError when what is asked makes no sense.

    `who` is `cli:USER` or `admin:ADDRESS`. `config` is asked for the tenants and tiers of the file; `entropy` gives
    that many random bytes, fit for secrets.
    """

    def __init__(
        self,
        store: AccountStore,
        config: Callable[[], Config],
        secret: bytes,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._config = config
        self._secret = secret
        self._clock = clock
        self._entropy = entropy

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config()

    async def accounts(self) -> Accounts:
        """Everything that was made at run time."""
        _, accounts = await self._store.load()
        return accounts

    async def audit(self, before: str, count: int) -> list[tuple[str, AuditEntry]]:
        """The log with the entries' ids, newest first, from before an entry on."""
        return await self._store.audit(before, count)

    async def create_tenant(self, who: str, name: str, tenant: RuntimeTenant) -> None:
        """Make a tenant that neither the configuration nor the store has."""
        await self._change(who, name, lambda accounts: tenant_created(accounts, self.config, name, tenant))

    async def update_tenant(self, who: str, name: str, changes: TenantChanges) -> None:
        """Change settings of a tenant; disabled, all its keys are refused."""
        await self._change(who, name, lambda accounts: tenant_changed(accounts, self.config, name, changes))

    async def delete_tenant(self, who: str, name: str) -> None:
        """Take out a tenant and its keys."""
        await self._change(who, name, lambda accounts: tenant_deleted(accounts, self.config, name))

    async def create_key(self, who: str, tenant: str, name: str, expires: int | None) -> MadeKey:
        """Make a key for a tenant of the store or of the configuration; `expires` in seconds since 1970."""
        made, proof = self._issue()
        record = RuntimeKey(tenant=tenant, name=name, digest=proof, created=self._clock.epoch(), expires=expires)
        await self._change(who, tenant, lambda accounts: key_created(accounts, self.config, made.id, record))
        return made

    async def rotate_key(self, who: str, key_id: str, grace: int) -> MadeKey:
        """A key in the place of another one, which is good for `grace` more seconds."""
        made, proof = self._issue()
        now = self._clock.epoch()
        await self._change(who, key_id, lambda accounts: key_rotated(accounts, key_id, (made.id, proof), now, grace))
        return made

    async def revoke_key(self, who: str, key_id: str) -> None:
        """Refuse a key from now on; one that is revoked stays as it is."""
        if key_of(await self.accounts(), key_id).revoked is not None:
            return
        await self._change(who, key_id, lambda accounts: key_revoked(accounts, key_id, self._clock.epoch()))

    async def note(self, who: str, what: str, target: str, details: Mapping[str, str]) -> None:
        """Write into the audit log what was done without a change of a tenant or a key."""
        await self._change(who, target, lambda _: Change((), what, target, dict(details)))

    async def _change(self, who: str, name: str, decide: Callable[[Accounts], Change]) -> None:
        """Decide on what is there and do it, anew as long as somebody else was quicker."""
        for _ in range(_TRIES):
            version, accounts = await self._store.load()
            change = decide(accounts)
            entry = AuditEntry(self._clock.epoch(), who, change.what, change.target, change.details)
            if await self._store.change(version, change.edits, entry):
                return
        raise resource_busy("Account", name)

    def _issue(self) -> tuple[MadeKey, str]:
        """A new key, and its digest as a record has it."""
        key = issue(self._entropy(_KEY_BYTES))
        return MadeKey(self._entropy(_ID_BYTES).hex(), key), digest(key, self._secret).hex()
