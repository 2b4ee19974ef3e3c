"""E: the admin API of a running gateway with two workers."""

from __future__ import annotations

import socket
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
TOKEN = "canary-of-the-admin-token"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tenants: {{search: {{tier: tier1, keys: [key-of-the-file]}}}}
admin: {{port: 0, token: "${{ADMIN_TOKEN}}"}}
observe: {{log_sample: 1.0, log_level: debug}}
limits: {{ip_failures_per_minute: null}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(upstream_url: str) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY)
    async with launched(config, workers=2, key="key-of-the-file", env={"ADMIN_TOKEN": TOKEN}) as gateway:
        yield gateway


async def ask(gateway: Gateway, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
    """One request on a connection of its own, so that either worker may get it."""
    url = gateway.said().partition("Admin:")[2].split()[0].removesuffix("/admin/")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
        http.request(method, url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_key_made_by_one_worker_works_in_all_until_it_is_revoked(pair: Gateway, upstream: Upstream) -> None:
    del upstream
    assert (await ask(pair, "POST", "/admin/tenants", {"name": "shop", "tier": "tier1"}))[0] == 201
    status, made = await ask(pair, "POST", "/admin/keys", {"tenant": "shop"})
    assert status == 201

    async def answers(status: int) -> bool:
        return {(await pair.embed("a", made["key"], MODEL)).status for _ in range(8)} == {status}

    await until(lambda: answers(200))
    assert (await ask(pair, "DELETE", f"/admin/keys/{made['id']}"))[0] == 200
    await until(lambda: answers(401))
    _, log = await ask(pair, "GET", "/admin/audit")
    assert [entry["what"] for entry in log["entries"][:3]] == ["key revoked", "key created", "tenant created"]
    assert made["key"] not in str(log) + pair.logged()
    assert TOKEN not in pair.logged() + pair.said()


@pytest.mark.parametrize(("token", "status"), [("", 401), (TOKEN[:-1], 401), ("key-of-the-file", 401), (TOKEN, 200)])
async def test_only_the_token_opens_it(pair: Gateway, token: str, status: int) -> None:
    assert (await ask(pair, "GET", "/admin/tenants", token=token))[0] == status


async def test_it_is_not_on_the_main_port_and_nothing_else_is_on_its_own(pair: Gateway) -> None:
    assert (await pair.get("/admin/tenants")).status == 404
    assert (await ask(pair, "GET", "/metrics"))[0] == 404
    assert (await ask(pair, "POST", "/v1/embeddings", {}))[0] == 404


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize(
    "admin", ["{port: 0}", "{port: 0, token: ''}", "{port: 0, token: tooshort}", "{port: 0, token: '${UNSET:-}'}"]
)
def test_without_a_good_token_nothing_starts(tmp_path: Path, command: str, admin: str) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"server: {{port: 0, data_dir: '{tmp_path}/data'}}\nadmin: {admin}\n")
    done = subprocess.run(
        [*COMMAND, command, "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=clean_environment(),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}:2: admin.token:" in done.stderr


def test_a_busy_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / "gateway.yaml"
        path.write_text(f"admin: {{port: {port}, token: '{TOKEN}'}}\n")
        done = subprocess.run(
            [*COMMAND, "serve", "--port", "0", "--config", str(path), "--data-dir", str(tmp_path / "data")],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=clean_environment(),
        )
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use; choose another with admin.port" in done.stderr
