"""P: what a change of tenants and keys consists of, or why it makes no sense."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.config.defaults import merged_tiers
from gateway.config.problem import suggestion
from gateway.errors import FieldError, invalid_request, resource_not_found
from gateway.ports import AccountEdit

if TYPE_CHECKING:
    from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant, TenantChanges
    from gateway.config.schema import Config
    from gateway.errors import GatewayError

DEV_TENANT = "dev"
"""Tenant of the key that a gateway without any configured tenant makes for its developer."""

KEPT_SECONDS = 30 * 86_400
"""Keys that ended longer ago than this are taken out of the list when the next one is made."""


@dataclass(frozen=True, slots=True)
class Change:
    """Edits that belong together, and how the audit log is to call them."""

    edits: tuple[AccountEdit, ...]
    what: str
    target: str
    details: dict[str, str] = field(default_factory=dict)


def tenant_created(accounts: Accounts, config: Config, name: str, tenant: RuntimeTenant) -> Change:
    """A tenant that neither the configuration nor the store has. Raises GatewayError."""
    _check_tier(config, tenant.tier)
    if name in config.tenants or name == DEV_TENANT:
        raise _configured()
    if name in accounts.tenants:
        raise invalid("name", "is the name of a tenant that exists", "tenant_exists")
    return Change((AccountEdit(name, "tenant", tenant),), "tenant created", name, _written(tenant))


def tenant_changed(accounts: Accounts, config: Config, name: str, changes: TenantChanges) -> Change:
    """Other settings for a tenant. Raises GatewayError."""
    changed = changes.applied(_tenant(accounts, config, name))
    _check_tier(config, changed.tier)
    return Change((AccountEdit(name, "tenant", changed),), "tenant changed", name, _written(changes))


def tenant_deleted(accounts: Accounts, config: Config, name: str) -> Change:
    """A tenant and its keys go. Raises GatewayError."""
    _tenant(accounts, config, name)
    keys = tuple(AccountEdit(key_id, "key", None) for key_id, key in accounts.keys.items() if key.tenant == name)
    return Change((AccountEdit(name, "tenant", None), *keys), "tenant deleted", name, {"keys": str(len(keys))})


def key_created(accounts: Accounts, config: Config, key_id: str, key: RuntimeKey) -> Change:
    """A key for a tenant of the store or of the configuration. Raises GatewayError."""
    if key.tenant not in accounts.tenants and key.tenant not in config.tenants:
        raise resource_not_found("Tenant", key.tenant)
    if key.expires is not None and key.expires <= key.created:
        raise invalid("expires", "is in the past", "expires_past")
    details = {"tenant": key.tenant, "name": key.name}
    if key.expires is not None:
        details["expires"] = str(key.expires)
    edits = (AccountEdit(key_id, "key", key), *_outdated(accounts, key.created))
    return Change(edits, "key created", key_id, details)


def key_rotated(accounts: Accounts, key_id: str, successor: tuple[str, str], now: int, grace: int) -> Change:
    """A key of the same tenant, name and length of life; the old one is good for `grace` more seconds at most.

    `successor` is the new key's id and digest. Raises GatewayError.
    """
    old = key_of(accounts, key_id)
    if old.ended(now) is not None:
        raise invalid("id", "is a key that has ended; create another", "key_ended")
    new_id, proof = successor
    life = None if old.expires is None else now + old.expires - old.created
    last = now + grace if old.expires is None else min(old.expires, now + grace)
    edits = (
        AccountEdit(key_id, "key", old.model_copy(update={"expires": last})),
        AccountEdit(new_id, "key", old.model_copy(update={"digest": proof, "created": now, "expires": life})),
        *_outdated(accounts, now),
    )
    details = {"tenant": old.tenant, "name": old.name, "new": new_id, "grace": str(grace)}
    return Change(edits, "key rotated", key_id, details)


def key_revoked(accounts: Accounts, key_id: str, now: int) -> Change:
    """A key is refused from `now` on. Raises GatewayError."""
    old = key_of(accounts, key_id)
    edit = AccountEdit(key_id, "key", old.model_copy(update={"revoked": now}))
    return Change((edit,), "key revoked", key_id, {"tenant": old.tenant, "name": old.name})


def key_of(accounts: Accounts, key_id: str) -> RuntimeKey:
    """The key with that id. Raises GatewayError: RESOURCE_NOT_FOUND."""
    if key_id not in accounts.keys:
        raise resource_not_found("Key", key_id)
    return accounts.keys[key_id]


def invalid(setting: str, message: str, kind: str) -> GatewayError:
    """The failure for a setting that makes no sense."""
    return invalid_request((FieldError(f"body -> {setting}", message, kind),))


def _tenant(accounts: Accounts, config: Config, name: str) -> RuntimeTenant:
    if name in config.tenants:
        raise _configured()
    if name not in accounts.tenants:
        raise resource_not_found("Tenant", name)
    return accounts.tenants[name]


def _configured() -> GatewayError:
    return invalid("name", "is a tenant of the configuration; change it there", "tenant_configured")


def _check_tier(config: Config, tier: str) -> None:
    tiers = merged_tiers(config)
    if tier not in tiers:
        raise invalid("tier", f"names no tier; {suggestion(tier, tiers)}", "tier_unknown")


def _outdated(accounts: Accounts, now: int) -> tuple[AccountEdit, ...]:
    ends = {key_id: key.ended(now) for key_id, key in accounts.keys.items()}
    gone = (key_id for key_id, end in ends.items() if end is not None and end < now - KEPT_SECONDS)
    return tuple(AccountEdit(key_id, "key", None) for key_id in gone)


def _written(settings: RuntimeTenant | TenantChanges) -> dict[str, str]:
    return {name: str(value) for name, value in settings.model_dump(mode="json", exclude_unset=True).items()}
