"""E: the console's routes: who may see them, which page is asked for, which form was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.authenticate import digest, same
from gateway.edge.console.forms import from_our_page, read_form
from gateway.edge.console.pages import ASSETS, Pages, to
from gateway.edge.console.session import COOKIE, LIFE_SECONDS, form_token, is_open, opened
from gateway.edge.errors import MethodError, status_of
from gateway.errors import (
    GatewayError,
    StoreError,
    invalid_api_key,
    resource_limit_exceeded,
    resource_not_found,
    service_unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from gateway.admit.reservation import Admission
    from gateway.edge.console.views import Views
    from gateway.vocabulary import Facts

HOME = "/console"
LOGIN = f"{HOME}/login"

_LOGIN: dict[str, object] = {"proof": "", "at": "login", "wrong": False}
_READ = frozenset({"GET", "HEAD"})


class Console:
    """Answers /console and what is below it; never in JSON."""

    def __init__(self, views: Views, admission: Admission, secret: bytes) -> None:
        self._views = views
        self.answers = views.answers
        self._desk, self._clock = views.sources.desk, views.sources.clock
        self._admission = admission
        self._secret = secret
        self._token = digest(self._desk.config.admin.token or "", secret)
        self._pages = Pages()

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.Response:
        """A page, also where something failed; only a defect raises."""
        facts.endpoint = "console"
        value = request.cookies.get(COOKIE, "")
        known = is_open(value, self._clock.epoch(), self._token, self._secret)
        proof = form_token(value, self._token, self._secret) if known else ""
        try:
            return await self._serve(request, known=known, proof=proof)
        except StoreError:
            failure = service_unavailable("The store does not answer")
        except GatewayError as error:
            failure = error
        return await self._failed(failure, proof)

    async def _failed(self, failure: GatewayError, proof: str) -> web.Response:
        fields = [f"{entry.field.removeprefix('body -> ')} {entry.message}" for entry in failure.errors]
        content = {"proof": proof, "at": "", "message": failure.message, "fields": fields}
        response = await self._pages.page("failure", content, status_of(failure))
        if isinstance(failure, MethodError):
            response.headers["Allow"] = failure.allowed
        return response

    async def _serve(self, request: web.BaseRequest, *, known: bool, proof: str) -> web.Response:
        path = request.path.rstrip("/")
        name = path.removeprefix(HOME).removeprefix("/")
        if name in ASSETS and request.method in _READ:
            return await self._pages.asset(name)
        if request.method == "POST":
            return await self._sent(request, name, known=known, proof=proof)
        if request.method not in _READ:
            raise MethodError("GET, HEAD, POST")
        if name == "login":
            return to(HOME) if known else await self._pages.page("login", _LOGIN)
        if not known:
            return to(LOGIN)
        view = self._views.pages.get(name)
        if view is None:
            raise resource_not_found("Page", path[:200])
        return await self._shown(name or "overview", proof, await view(request.query))

    async def _sent(self, request: web.BaseRequest, name: str, *, known: bool, proof: str) -> web.Response:
        if not from_our_page(request):
            raise resource_limit_exceeded("The form was not sent by a page of this console")
        if name == "login":
            return await self._login(request)
        if not known:
            return to(LOGIN)
        form = await read_form(request, self._desk.config.server)
        if not same(form.pop("proof", "").encode(), proof.encode()):
            raise resource_limit_exceeded("The form is not of this session; load the page anew")
        if name == "logout":
            return _with_cookie(to(LOGIN), request, "", 0)
        action = self._views.actions.get(name)
        if action is None:
            raise resource_not_found("Form", name[:200])
        content = await action(form, request.remote or "unknown")
        if isinstance(content, str):
            return to(f"{HOME}/{content}")
        return await self._shown(name.partition("/")[0], proof, content)

    async def _login(self, request: web.BaseRequest) -> web.Response:
        form = await read_form(request, self._desk.config.server)
        if not same(digest(form.get("token", ""), self._secret), self._token):
            limit = self._desk.config.limits.ip_failures_per_minute
            await self._admission.failed_authentication(f"admin:{request.remote}", limit)
            return await self._pages.page("login", _LOGIN | {"wrong": True}, status_of(invalid_api_key()))
        value = opened(self._clock.identifier(), self._clock.epoch(), self._token, self._secret)
        return _with_cookie(to(HOME), request, value, LIFE_SECONDS)

    async def _shown(self, name: str, proof: str, content: Mapping[str, object]) -> web.Response:
        return await self._pages.page(name, {**content, "proof": proof, "at": name})


def _with_cookie(response: web.Response, request: web.BaseRequest, value: str, seconds: int) -> web.Response:
    """A proxy in front may speak https to the browser; a header that says so wrongly harms its sender alone."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    secure = "https" in {request.scheme, forwarded}
    response.set_cookie(COOKIE, value, max_age=seconds, path=HOME, secure=secure, httponly=True, samesite="Strict")
    return response
