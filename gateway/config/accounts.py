"""P: tenants and API keys that are made at run time and kept in the store: their records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from gateway.config.schema import Tenant
from gateway.config.section import Name, Section
from gateway.vocabulary import CacheScope  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from collections.abc import Mapping

Moment = Annotated[int, Field(ge=0)]
"""Whole seconds since 1970."""


class RuntimeTenant(Section):
    """A tenant that no configuration file names; the settings mean what they mean there."""

    tier: Name = "free"
    org: Name = "default"
    cache_scope: CacheScope | None = None
    enabled: bool = True

    def configured(self) -> Tenant:
        """The same as if it were written in the file."""
        return Tenant(tier=self.tier, org=self.org, cache_scope=self.cache_scope)


class RuntimeKey(Section):
    """An API key, known by its keyed digest (authenticate.digest, 64 hex digits) alone.

    From `expires` on it is refused; one with `revoked` is refused at once.
    """

    tenant: Name
    name: Name = "default"
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(repr=False)
    created: Moment
    expires: Moment | None = None
    revoked: Moment | None = None

    def ended(self, now: int) -> int | None:
        """Since when it is refused, None while it is good."""
        ends = [end for end in (self.expires, self.revoked) if end is not None and end <= now]
        return min(ends, default=None)


class TenantChanges(Section):
    """What of a tenant is to change: the settings that are written."""

    tier: Name | None = None
    org: Name | None = None
    cache_scope: CacheScope | None = None
    enabled: bool | None = None

    def applied(self, tenant: RuntimeTenant) -> RuntimeTenant:
        """The tenant with the changes; only `cache_scope` can be set to nothing."""
        written = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {name: value for name, value in written.items() if value is not None or name == "cache_scope"}
        return tenant.model_copy(update=kept)


@dataclass(frozen=True, slots=True)
class Accounts:
    """All tenants by name and all keys by public id, as of one version of the store."""

    tenants: Mapping[str, RuntimeTenant] = field(default_factory=dict)
    keys: Mapping[str, RuntimeKey] = field(default_factory=dict)
