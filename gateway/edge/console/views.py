"""E: one method a page or a form of the console: what its template is given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pydantic import ValidationError

from gateway.config.accounts import RuntimeTenant, TenantChanges
from gateway.edge.admin_routes import NewKey, NewTenant, Rotation
from gateway.edge.console.cache_view import CacheView
from gateway.edge.console.in_force import lines
from gateway.edge.console.overview import SIZES, Overview, stacks
from gateway.edge.console.playground import models
from gateway.edge.console.sources import MOST_TENANTS, all_of, report
from gateway.errors import FieldError, GatewayError, invalid_request
from gateway.settle.statement import By

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.administration.administrator import MadeKey
    from gateway.config.section import Section
    from gateway.edge.console.playground import Playground
    from gateway.edge.console.sources import Sources
    from gateway.tasks import TaskGroup

    Content: TypeAlias = dict[str, object]
    Query: TypeAlias = Mapping[str, str]
    Form = TypeVar("Form", bound=Section)

_JOBS = 50
_KEPT = ("model", "query", "texts", "new")
_DAYS = {"1": 1, "7": 7, "30": 30}


class Views:
    """Both tables raise GatewayError and StoreError.

    `pages`: the query → what the template is given. `actions`: a form's fields and the sender's address → the same, or
    the page to go to. `answers` are JSON for the admin API, by the last part of their path.
    """

    def __init__(self, sources: Sources, playground: Playground, tasks: TaskGroup) -> None:
        self.sources = sources
        self._cache, overview = CacheView(sources, tasks), Overview(sources)
        self._desk = sources.desk
        self._playground = playground
        self.pages: Mapping[str, Callable[[Query], Awaitable[Content]]] = {
            "": overview.page,
            "limits": overview.limits,
            "cache": self._cache.page,
            "tenants": self._tenants,
            "keys": self._keys,
            "usage": self._usage,
            "backends": self._backends,
            "jobs": self._jobs,
            "config": self._config,
            "playground": self._try,
        }
        self.actions: Mapping[str, Callable[[Query, str], Awaitable[Content | str]]] = {
            "tenants": self._create_tenant,
            "tenants/switch": self._switch_tenant,
            "keys": self._create_key,
            "keys/rotate": self._rotate_key,
            "keys/revoke": self._revoke_key,
            "playground": self._send,
            "cache/purge": self._cache.purge,
        }
        self.answers = {"live": overview.live_json, "limits": overview.limits_json}

    async def _tenants(self, _query: Query) -> Content:
        accounts, config = await self._desk.accounts(), self._desk.config
        made = [(name, entry) for name, entry in sorted(accounts.tenants.items()) if name not in config.tenants]
        tiers = sorted(self.sources.snapshot().tiers)
        return {"configured": sorted(config.tenants.items()), "made": made, "tiers": tiers}

    async def _create_tenant(self, form: Query, address: str) -> str:
        wanted = _checked(NewTenant, form)
        tenant = RuntimeTenant.model_validate(wanted.model_dump(exclude={"name"}, exclude_unset=True))
        await self._desk.create_tenant(_who(address), wanted.name, tenant)
        return "tenants"

    async def _switch_tenant(self, form: Query, address: str) -> str:
        changes = TenantChanges(enabled=form.get("enabled") == "yes")
        await self._desk.update_tenant(_who(address), form.get("name", ""), changes)
        return "tenants"

    async def _keys(self, _query: Query, made: MadeKey | None = None) -> Content:
        accounts, now = await self._desk.accounts(), self.sources.clock.epoch()
        listed = sorted(accounts.keys.items(), key=lambda entry: (entry[1].tenant, -entry[1].created))
        shown = [(key_id, key, key.ended(now) is None) for key_id, key in listed]
        tenants = sorted({*self._desk.config.tenants, *accounts.tenants})
        return {"keys": shown, "tenants": tenants, "made": made}

    async def _create_key(self, form: Query, address: str) -> Content:
        wanted = _checked(NewKey, form)
        expires = None if wanted.expires_in is None else self.sources.clock.epoch() + wanted.expires_in
        return await self._keys({}, await self._desk.create_key(_who(address), wanted.tenant, wanted.name, expires))

    async def _rotate_key(self, form: Query, address: str) -> Content:
        grace = _checked(Rotation, {name: value for name, value in form.items() if name == "grace"}).grace
        return await self._keys({}, await self._desk.rotate_key(_who(address), form.get("id", ""), grace))

    async def _revoke_key(self, form: Query, address: str) -> str:
        await self._desk.revoke_key(_who(address), form.get("id", ""))
        return "keys"

    async def _usage(self, query: Query) -> Content:
        days, tenants = _DAYS.get(query.get("days", ""), 7), await self.sources.tenants()
        chosen = query.get("tenant", "")
        rows = await self.sources.rows([chosen] if chosen else tenants, days)
        by = By.MODEL if chosen else By.TENANT
        told = report(rows, by)
        return {
            "largest": max((row["upstream_tokens"] + row["saved_tokens"] for row in told), default=0) or 1,
            "tenant": chosen,
            "tenants": tenants,
            "all": len(tenants) < MOST_TENANTS,
            "days": days,
            "choices": list(_DAYS.values()),
            "by": by.value,
            "rows": told,
            "totals": all_of(rows),
            "stacks": stacks(rows, self.sources.clock.epoch(), days),
            **SIZES,
        }

    async def _backends(self, _query: Query) -> Content:
        return {"backends": await self.sources.backends()}

    async def _jobs(self, _query: Query) -> Content:
        return {"jobs": await self.sources.jobs.newest(None, _JOBS)}

    async def _config(self, _query: Query) -> Content:
        return {"lines": await asyncio.to_thread(lines, self._desk.config)}

    async def _try(self, _query: Query) -> Content:
        names = models(self.sources.snapshot())
        return {"models": names, "form": dict.fromkeys(_KEPT, ""), "outcome": None, "problem": ""}

    async def _send(self, form: Query, address: str) -> Content:
        """The key is not sent back: it is typed anew for the next call."""
        content = await self._try({}) | {"form": {name: form.get(name, "") for name in _KEPT}}
        try:
            return content | {"outcome": await self._playground.send(form, address)}
        except GatewayError as error:
            return content | {"problem": f"{error.code.value}: {error.message}"}


def _who(address: str) -> str:
    return f"console:{address}"


def _checked(form: type[Form], fields: Query) -> Form:
    try:
        return form.model_validate(dict(fields))
    except ValidationError as error:
        found = [
            FieldError(" -> ".join(map(str, ("body", *entry["loc"]))), entry["msg"], entry["type"])
            for entry in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise invalid_request(tuple(found)) from None
