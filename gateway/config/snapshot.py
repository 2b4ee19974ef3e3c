"""P: the immutable look-ups a request needs, compiled once from a Config."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.vocabulary import CacheScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Model
    from gateway.config.schema import Config, Tier
    from gateway.config.spending import Balance, Budget
    from gateway.vocabulary import Caller, Meter


@dataclass(frozen=True, slots=True)
class Route:
    """One backend that answers for a model: its name in the config, the model's name there, its share of the work."""

    backend: str
    backend_model: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Served:
    """A model that this gateway answers for: its catalogue entry, and who may be asked, one or more.

    All routes serve one revision, so that any of them may answer. `cache_scope` narrows the caller's for this model.
    `relays`: what is made from embeddings, like a classification, is asked of the backend, which makes it, too; else
    it is made here.
    """

    model: Model
    routes: tuple[Route, ...]
    cache_scope: CacheScope = CacheScope.SHARED
    relays: bool = False

    def only(self, backend: str) -> Served:
        """With no way but to one backend (empty: any), where there is one."""
        ways = tuple([route for route in self.routes if route.backend == backend])
        return replace(self, routes=ways) if ways and len(ways) < len(self.routes) else self


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One configuration in force. A request takes it once and sees nothing else.

    `total_meters` and `model_meters` are what everybody's calls count in.
    `served` is keyed by every name that clients may use (bare, `owner/name`, aliases); `directory` by the keyed
    digest of an API key (see authenticate.digest). `prices` are US dollars a token by tenant and model, where a tenant
    has its own. With `passthrough` nobody is looked up: it is what every caller is, apart from the names, which come
    from the key (authenticate.pass_through); `anonymous` is, in the same way, what every client
    address without a key is.
    """

    config: Config
    served: Mapping[str, Served]
    directory: Mapping[bytes, Caller]
    secret: bytes
    total_meters: tuple[Meter, ...] = ()
    model_meters: Mapping[str, Meter] = field(default_factory=dict)
    prices: Mapping[tuple[str, str], str] = field(default_factory=dict)
    passthrough: Caller | None = None
    anonymous: Caller | None = None
    tiers: Mapping[str, Tier] = field(default_factory=dict)

    def tier_of(self, tenant: str) -> str:
        """The plan of a tenant, of the configuration or made at run time; empty for nobody."""
        if tenant in self.config.tenants:
            return self.config.tenants[tenant].tier
        return next((caller.tier for caller in self.directory.values() if caller.tenant == tenant), "")

    def spending(self, tenant: str, tier: str) -> tuple[tuple[Budget, ...], Balance | None]:
        """A tenant's budgets and balance: its own, else its tier's."""
        own, plan = self.config.tenants.get(tenant), self.tiers.get(tier)
        budgets = own.budgets if own is not None and own.budgets else plan.budgets if plan else ()
        balance = own.balance if own is not None and own.balance else plan.balance if plan else None
        return budgets, balance

    def price(self, tenant: str, model: Model) -> str:
        """What a tenant pays for a token of a model, in US dollars."""
        return self.prices.get((tenant, model.name), model.price)
