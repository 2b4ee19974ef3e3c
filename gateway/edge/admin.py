"""E: the admin API: who may use it, and which route is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import hdrs, web

from gateway.authenticate import digest, same, token_of
from gateway.edge.admin_routes import AdminRoutes
from gateway.edge.call import request_id
from gateway.edge.console.console import HOME
from gateway.edge.errors import MethodError, failure_response
from gateway.errors import (
    Code,
    GatewayError,
    StoreError,
    internal_error,
    resource_not_found,
    service_unavailable,
)
from gateway.vocabulary import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.administration.administrator import Administrator
    from gateway.admit.reservation import Admission
    from gateway.edge.admin_routes import Route
    from gateway.edge.console.console import Console
    from gateway.observe.observer import RequestObserver
    from gateway.ports import Clock


NAME = "NAME"
"""Stands in a route for the name of a tenant or the id of a key."""


class Admin:
    """The application behind the admin listener. Without the token nothing is told, not even which routes there are."""

    def __init__(  # noqa: PLR0913 - the composition root hands over each part once
        self,
        administrator: Administrator,
        admission: Admission,
        secret: bytes,
        clock: Clock,
        observer: RequestObserver,
        *,
        console: Console | None = None,
    ) -> None:
        self._console = console
        self._desk = administrator
        self._admission = admission
        self._secret = secret
        self._token = digest(administrator.config.admin.token or "", secret)
        self._clock = clock
        self._observer = observer
        routes = AdminRoutes(administrator, clock)
        self._routes: Mapping[tuple[str, ...], Mapping[str, Route]] = {
            ("tenants",): {"GET": routes.tenants, "POST": routes.create_tenant},
            ("tenants", NAME): {"PATCH": routes.change_tenant, "DELETE": routes.delete_tenant},
            ("keys",): {"GET": routes.keys, "POST": routes.create_key},
            ("keys", NAME): {"DELETE": routes.revoke_key},
            ("keys", NAME, "rotate"): {"POST": routes.rotate_key},
            ("audit",): {"GET": routes.audit},
        }
        if console is not None:
            self._routes = {**self._routes, **{(name,): {"GET": answer} for name, answer in console.answers.items()}}
        self.closing = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        started = self._clock.monotonic()
        facts = Facts("admin", request_id(request, self._clock))
        failure: GatewayError | None = None
        try:
            if self._console is not None and f"{request.path}/".startswith(f"{HOME}/"):
                response = await self._console.answer(request, facts)
            else:
                response = await self._serve(request)
        except GatewayError as error:
            failure = error
        except StoreError:
            failure = service_unavailable("The store does not answer")
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours becomes a 500 in the contract's shape
            self._observer.defect(facts, error)
            failure = internal_error()
        if failure is not None:
            response = failure_response(failure, facts, self._desk.config.server.errors)
        response.headers["X-Request-Id"] = facts.request_id
        response.headers["Cache-Control"] = "no-store"
        if self.closing:
            response.force_close()
        self._observer.request(facts, self._clock.monotonic() - started, failure, response.status)
        return response

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        await self._authorise(request)
        # Split before the escapes are read: the name of a tenant may have a slash.
        parts = request.rel_url.raw_path.removeprefix("/admin/").split("/")
        name = unquote(parts[1]) if len(parts) > 1 else ""
        methods = self._routes.get((parts[0], NAME, *parts[2:]) if name else tuple(parts))
        if methods is None or not request.path.startswith("/admin/"):
            raise resource_not_found("Route", request.path[:200])
        if request.method not in methods:
            raise MethodError(", ".join(methods))
        return await methods[request.method](request, name)

    async def _authorise(self, request: web.BaseRequest) -> None:
        try:
            presented = digest(token_of(request.headers.get(hdrs.AUTHORIZATION)), self._secret)
            if not same(presented, self._token):
                raise GatewayError(Code.AUTH_INVALID_API_KEY, "Invalid admin token")
        except GatewayError:
            limit = self._desk.config.limits.ip_failures_per_minute
            await self._admission.failed_authentication(f"admin:{request.remote}", limit)
            raise
