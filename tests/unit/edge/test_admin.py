"""E: the admin API over HTTP, on fakes."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from fakes.accounts import FakeAccounts
from fakes.gateway import SEARCH_KEY, SECRET, Gateway, configured

from gateway.administration.administrator import Administrator
from gateway.admit.reservation import Admission
from gateway.authenticate import digest
from gateway.clock import SystemClock
from gateway.config.schema import Admin as AdminSettings
from gateway.config.schema import LimitSettings, Observe
from gateway.edge.admin import Admin
from gateway.edge.server import HttpServer
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

TOKEN = "the-token-of-the-admin"
ROUTES = [
    ("GET", "/admin/tenants"),
    ("POST", "/admin/tenants"),
    ("PATCH", "/admin/tenants/shop"),
    ("DELETE", "/admin/tenants/shop"),
    ("GET", "/admin/keys"),
    ("POST", "/admin/keys"),
    ("POST", "/admin/keys/0/rotate"),
    ("DELETE", "/admin/keys/0"),
    ("GET", "/admin/audit"),
    ("GET", "/admin/none"),
    ("GET", "/"),
]


class World:
    """`ask` sends one request with the token; the store can be looked at."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self.config = configured(
            admin=AdminSettings(port=0, token=TOKEN), limits=LimitSettings(ip_failures_per_minute=3)
        )
        self.store = FakeAccounts()
        self.gateway = Gateway(self.config)
        self.metrics = Metrics()
        observer = RequestObserver(self.metrics, Observe(log_sample=0.0), SystemClock())
        admission = Admission(self.gateway.leases, self.gateway.quota, observer)
        self._drawn = 0
        desk = Administrator(self.store, lambda: self.config, SECRET, self.gateway.clock, self.entropy)
        self.admin = Admin(desk, admission, SECRET, self.gateway.clock, observer)
        self.url = ""
        self._client = client

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count)

    async def ask(
        self, method: str, path: str, body: object = None, *, credentials: str | None = f"Bearer {TOKEN}"
    ) -> tuple[int, Any]:
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": credentials} if credentials else {})
        async with self._client.request(method, self.url + path, data=sent, headers=headers) as answer:
            content = await answer.json()
            assert answer.headers["X-Request-Id"]
            assert answer.headers["Cache-Control"] == "no-store"
            if answer.status >= 400:
                assert content["request_id"] == answer.headers["X-Request-Id"]
                assert isinstance(content["detail"], str)
            return answer.status, content

    async def good(self, method: str, path: str, body: object = None) -> Any:
        status, content = await self.ask(method, path, body)
        assert status in {200, 201}, content
        return content


@pytest.fixture
async def world(client: aiohttp.ClientSession) -> AsyncIterator[World]:
    made = World(client)
    http = HttpServer(made.admin, "superset", SystemClock())
    listener = socket.create_server(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = await asyncio.get_running_loop().create_server(http, sock=listener)
    yield made
    server.close()
    http.pre_shutdown()
    await http.shutdown(1.0)


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (None, "AUTH_MISSING_API_KEY"),
        ("Bearer wrong-token-of-the-admin", "AUTH_INVALID_API_KEY"),
        (f"Bearer {TOKEN[:-1]}", "AUTH_INVALID_API_KEY"),
        (f"Bearer {SEARCH_KEY}", "AUTH_INVALID_API_KEY"),
        (f"Basic {TOKEN}", "AUTH_INVALID_FORMAT"),
    ],
)
async def test_nothing_is_told_without_the_token(
    world: World, method: str, path: str, credentials: str | None, code: str
) -> None:
    status, content = await world.ask(method, path, credentials=credentials)
    assert (status, content["code"]) == (401, code)
    assert not world.store.log


async def test_failed_attempts_are_limited_by_address(world: World) -> None:
    said = [(await world.ask("GET", "/admin/keys", credentials="Bearer wrong"))[0] for _ in range(5)]
    assert said == [401, 401, 401, 429, 429]
    assert (await world.ask("GET", "/admin/keys"))[0] == 200


async def test_a_tenant_from_its_making_to_its_end(world: World) -> None:
    made = await world.good("POST", "/admin/tenants", {"name": "a/shop", "tier": "small", "cache_scope": "tenant"})
    expected = {"name": "a/shop", "tier": "small", "org": "default", "cache_scope": "tenant", "enabled": True}
    assert made == expected | {"source": "runtime"}
    listed = (await world.good("GET", "/admin/tenants"))["tenants"]
    assert [(entry["name"], entry["source"]) for entry in listed] == [
        ("search", "configuration"),
        ("other", "configuration"),
        ("a/shop", "runtime"),
    ]
    changed = await world.good("PATCH", "/admin/tenants/a%2Fshop", {"enabled": False, "cache_scope": None})
    assert changed == {"name": "a/shop", "enabled": False, "cache_scope": None}
    kept = world.store.tenants["a/shop"]
    assert (kept.tier, kept.enabled, kept.cache_scope) == ("small", False, None)
    await world.good("DELETE", "/admin/tenants/a%2Fshop")
    assert not world.store.tenants


async def test_a_key_is_shown_once(world: World) -> None:
    made = await world.good("POST", "/admin/keys", {"tenant": "search", "name": "ci", "expires_in": 60})
    proof = digest(made["key"], SECRET).hex()
    assert world.store.keys[made["id"]].digest == proof
    rotated = await world.good("POST", f"/admin/keys/{made['id']}/rotate")
    assert rotated["replaces"] == made["id"]
    await world.good("DELETE", f"/admin/keys/{rotated['id']}")
    listed = await world.good("GET", "/admin/keys?tenant=search")
    assert [(key["id"], key["name"], key["expires"], key["revoked"]) for key in listed["keys"]] == [
        (made["id"], "ci", 1_060, None),
        (rotated["id"], "ci", 1_060, 1_000),
    ]
    assert (await world.good("GET", "/admin/keys?tenant=other"))["keys"] == []
    told = json.dumps([listed, await world.good("GET", "/admin/audit")])
    for secret in (made["key"], rotated["key"], proof, TOKEN):
        assert secret not in told


async def test_the_log_is_paged(world: World) -> None:
    for number in range(5):
        await world.good("POST", "/admin/tenants", {"name": f"t{number}"})
    first = await world.good("GET", "/admin/audit?limit=2")
    assert [entry["target"] for entry in first["entries"]] == ["t4", "t3"]
    assert first["entries"][0]["who"] == "admin:127.0.0.1"
    second = await world.good("GET", f"/admin/audit?limit=10&before={first['next']}")
    assert ([entry["target"] for entry in second["entries"]], second["next"]) == (["t2", "t1", "t0"], None)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/admin/tenants", {"name": "a", "keys": ["x"]}, 422, "body -> keys"),
        ("POST", "/admin/tenants", {"name": "a b"}, 422, "body -> name"),
        ("POST", "/admin/tenants", {}, 422, "body -> name"),
        ("POST", "/admin/tenants", b"{", 422, "body"),
        ("POST", "/admin/tenants", {"name": "search"}, 422, "body -> name"),
        ("POST", "/admin/tenants", {"name": "a", "tier": "gold"}, 422, "body -> tier"),
        ("POST", "/admin/tenants", {"name": "a", "cache_scope": "all"}, 422, "body -> cache_scope"),
        ("POST", "/admin/tenants", b" " * 70_000, 413, None),
        ("PATCH", "/admin/tenants/none", {"enabled": True}, 404, None),
        ("PATCH", "/admin/tenants/search", {"enabled": False}, 422, "body -> name"),
        ("DELETE", "/admin/tenants/none", None, 404, None),
        ("POST", "/admin/keys", {"tenant": "none"}, 404, None),
        ("POST", "/admin/keys", {"tenant": "search", "expires_in": 0}, 422, "body -> expires_in"),
        ("POST", "/admin/keys", {"tenant": "search", "key": "chosen-by-me"}, 422, "body -> key"),
        ("POST", "/admin/keys/none/rotate", {"grace": -1}, 422, "body -> grace"),
        ("POST", "/admin/keys/none/rotate", None, 404, None),
        ("DELETE", "/admin/keys/none", None, 404, None),
        ("GET", "/admin/audit?before=newest", None, 422, "query -> before"),
        ("GET", "/admin/audit?limit=1001", None, 422, "query -> limit"),
        ("GET", "/admin/audit?limit=%C2%B2", None, 422, "query -> limit"),
        ("PUT", "/admin/tenants", None, 405, None),
        ("GET", "/admin/keys/none", None, 405, None),
        ("GET", "/admin/tenants/", None, 404, None),
        ("GET", "/admin/keys/0/rotate/now", None, 404, None),
        ("GET", "/tenants", None, 404, None),
    ],
)
async def test_what_makes_no_sense_is_refused_in_the_contracts_shape(  # noqa: PLR0913, PLR0917 - the table's columns
    world: World, method: str, path: str, body: object, status: int, field: str | None
) -> None:
    said, content = await world.ask(method, path, body)
    assert said == status
    if field is not None:
        assert [entry["field"] for entry in content["errors"]] == [field]
        assert "chosen-by-me" not in json.dumps(content)
    assert not world.store.log


async def test_a_store_that_is_down_is_503_and_a_defect_500(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.down = True
    status, content = await world.ask("GET", "/admin/keys")
    assert (status, content["code"]) == (503, "SERVICE_UNAVAILABLE")

    async def broken() -> None:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(world.store, "load", broken)
    status, content = await world.ask("GET", "/admin/keys")
    assert (status, content["detail"]) == (500, "An unexpected error occurred")
    assert TOKEN not in str(content)
