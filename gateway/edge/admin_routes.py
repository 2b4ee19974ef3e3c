"""E: the admin API's routes: tenants, keys and the audit log as JSON; their bodies are checked field by field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import orjson
from pydantic import Field, ValidationError

from gateway.config.accounts import RuntimeTenant, TenantChanges
from gateway.config.section import Name, Section
from gateway.edge.call import read_body
from gateway.edge.operations import json_response
from gateway.errors import FieldError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias, TypeVar

    from aiohttp import web

    from gateway.administration.administrator import Administrator
    from gateway.config.accounts import RuntimeKey
    from gateway.config.schema import Tenant
    from gateway.ports import AuditEntry, Clock

    Route: TypeAlias = Callable[[web.BaseRequest, str], Awaitable[web.Response]]
    Form = TypeVar("Form", bound=Section)

BODY_LIMIT = 65_536
"""Bytes of a request's body; the longest that makes sense is far shorter."""

_CREATED = 201
_LONGEST_PAGE = 1_000
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")


class NewTenant(RuntimeTenant):
    """Body of POST /admin/tenants."""

    name: Name


class NewKey(Section):
    """Body of POST /admin/keys; the key ends after `expires_in` seconds."""

    tenant: Name
    name: Name = "default"
    expires_in: Annotated[int, Field(ge=1, le=3_153_600_000)] | None = None


class Rotation(Section):
    """Body of POST /admin/keys/ID/rotate; the old key is good for `grace` more seconds."""

    grace: Annotated[int, Field(ge=0, le=31_536_000)] = 86_400


class AdminRoutes:
    """One method a route; each takes the request and the name in its path. Raises GatewayError, StoreError."""

    def __init__(self, administrator: Administrator, clock: Clock) -> None:
        self._desk = administrator
        self._clock = clock

    async def tenants(self, _request: web.BaseRequest, _name: str) -> web.Response:
        """GET /admin/tenants: those of the configuration and those made at run time."""
        accounts, configured = await self._desk.accounts(), self._desk.config.tenants
        listed: list[dict[str, object]] = [_configured(name, entry) for name, entry in configured.items()]
        made = {name: entry for name, entry in accounts.tenants.items() if name not in configured}
        listed += [_tenant(name, made[name]) for name in sorted(made)]
        return _json({"tenants": listed})

    async def create_tenant(self, request: web.BaseRequest, _name: str) -> web.Response:
        """POST /admin/tenants."""
        wanted = await self._form(request, NewTenant)
        tenant = RuntimeTenant.model_validate(wanted.model_dump(exclude={"name"}, exclude_unset=True))
        await self._desk.create_tenant(_who(request), wanted.name, tenant)
        return _json(_tenant(wanted.name, tenant), _CREATED)

    async def change_tenant(self, request: web.BaseRequest, name: str) -> web.Response:
        """PATCH /admin/tenants/NAME: the settings that are written."""
        changes = await self._form(request, TenantChanges)
        await self._desk.update_tenant(_who(request), name, changes)
        return _json({"name": name, **changes.model_dump(mode="json", exclude_unset=True)})

    async def delete_tenant(self, request: web.BaseRequest, name: str) -> web.Response:
        """DELETE /admin/tenants/NAME: with its keys."""
        await self._desk.delete_tenant(_who(request), name)
        return _json({"name": name, "deleted": True})

    async def keys(self, request: web.BaseRequest, _name: str) -> web.Response:
        """GET /admin/keys, of one `tenant` or of all; never a key or its digest."""
        accounts, tenant = await self._desk.accounts(), request.query.get("tenant")
        listed = [_key(key_id, key) for key_id, key in accounts.keys.items() if tenant in {None, key.tenant}]
        return _json({"keys": listed})

    async def create_key(self, request: web.BaseRequest, _name: str) -> web.Response:
        """POST /admin/keys: the only answer with the key in it."""
        wanted = await self._form(request, NewKey)
        expires = None if wanted.expires_in is None else self._clock.epoch() + wanted.expires_in
        made = await self._desk.create_key(_who(request), wanted.tenant, wanted.name, expires)
        return _json({"id": made.id, "key": made.key, "tenant": wanted.tenant, "name": wanted.name}, _CREATED)

    async def rotate_key(self, request: web.BaseRequest, key_id: str) -> web.Response:
        """POST /admin/keys/ID/rotate: the only answer with the new key in it."""
        wanted = await self._form(request, Rotation)
        made = await self._desk.rotate_key(_who(request), key_id, wanted.grace)
        return _json({"id": made.id, "key": made.key, "replaces": key_id, "grace": wanted.grace}, _CREATED)

    async def revoke_key(self, request: web.BaseRequest, key_id: str) -> web.Response:
        """DELETE /admin/keys/ID: it is refused from now on."""
        await self._desk.revoke_key(_who(request), key_id)
        return _json({"id": key_id, "revoked": True})

    async def audit(self, request: web.BaseRequest, _name: str) -> web.Response:
        """GET /admin/audit, newest first: `limit` entries; `next` is the `before` of the page that follows."""
        before, wanted = request.query.get("before", ""), request.query.get("limit", "100")
        if before and not _ENTRY_ID.fullmatch(before):
            raise invalid_request((FieldError("query -> before", "is not the id of an entry", "entry_id"),))
        if not re.fullmatch(r"[0-9]{1,4}", wanted) or not 1 <= int(wanted) <= _LONGEST_PAGE:
            raise invalid_request((FieldError("query -> limit", f"must be from 1 to {_LONGEST_PAGE}", "limit"),))
        entries = await self._desk.audit(before, int(wanted))
        following = entries[-1][0] if len(entries) == int(wanted) else None
        return _json({"entries": [_entry(at, entry) for at, entry in entries], "next": following})

    async def _form(self, request: web.BaseRequest, form: type[Form]) -> Form:
        """The body, read and checked; an empty one is an object without fields."""
        settings = self._desk.config.server.model_copy(update={"body_limit": BODY_LIMIT})
        body = await read_body(request, settings, settings.timeout)
        try:
            return form.model_validate_json(body or b"{}")
        except ValidationError as error:
            found = [
                FieldError(" -> ".join(map(str, ("body", *entry["loc"]))), entry["msg"], entry["type"])
                for entry in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            raise invalid_request(tuple(found)) from None


def _who(request: web.BaseRequest) -> str:
    return f"admin:{request.remote or 'unknown'}"


def _configured(name: str, tenant: Tenant) -> dict[str, object]:
    made = RuntimeTenant(tier=tenant.tier, org=tenant.org, cache_scope=tenant.cache_scope)
    return _tenant(name, made) | {"source": "configuration"}


def _tenant(name: str, tenant: RuntimeTenant) -> dict[str, object]:
    return {"name": name, **tenant.model_dump(mode="json"), "source": "runtime"}


def _key(key_id: str, key: RuntimeKey) -> dict[str, object]:
    return {"id": key_id, **key.model_dump(mode="json", exclude={"digest"})}


def _entry(at: str, entry: AuditEntry) -> dict[str, object]:
    told = {"at": entry.at, "who": entry.who, "what": entry.what, "target": entry.target}
    return {"id": at, **told, "details": dict(entry.details)}


def _json(content: dict[str, object], status: int = 200) -> web.Response:
    return json_response(orjson.dumps(content), status)
