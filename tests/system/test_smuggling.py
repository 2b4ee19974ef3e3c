"""E: exactly what is meant to be a request counts as one, whoever reads the bytes: this gateway, or nginx before it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched
from fakes.smuggling import SHAPES, Requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

OWN = "key-of-honest"
CONFIG = """
server: {{receive_timeout: 1, keepalive_timeout: 2}}
limits: {{ip_failures_per_minute: null}}
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tiers: {{wide: {{rpm: 100000}}}}
tenants: {{honest: {{tier: wide, keys: [key-of-honest]}}}}
"""
NGINX = """
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;
events {{}}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u;
    scgi_temp_path s; client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 2s; lingering_close off;
    upstream gateway {{ server {address}; keepalive 1; }}
    server {{
        listen unix:{folder}/front.sock;
        location / {{
            proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_request_buffering off; proxy_buffering off;
        }}
    }}
}}
"""
PATIENCE = 20.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), key=OWN) as running:
        yield running


@contextmanager
def front(gateway: Gateway) -> Iterator[str]:
    """The path of the socket of an nginx with one connection to the gateway that is kept."""
    binary = shutil.which("nginx")
    if binary is None:
        pytest.skip("nginx is not installed")
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(NGINX.format(address=gateway.url.removeprefix("http://"), folder=folder))
        process = subprocess.Popen([binary, "-p", folder, "-e", "error.log", "-c", str(file)])
        try:
            while not Path(folder, "front.sock").exists():
                time.sleep(0.01)
            yield f"{folder}/front.sock"
        finally:
            process.terminate()
            process.wait(PATIENCE)


async def told(path: str | tuple[str, int], raw: bytes) -> bytes:
    """All that comes back until the other side closes, which it does."""
    if isinstance(path, str):
        reader, writer = await asyncio.open_unix_connection(path)
    else:
        reader, writer = await asyncio.open_connection(*path)
    try:
        writer.write(raw)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def address(gateway: Gateway) -> tuple[str, int]:
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    return host, int(port)


async def test_the_gateway_takes_exactly_the_requests_that_are_meant(gateway: Gateway, upstream: Upstream) -> None:
    requests = Requests(OWN, "direct")
    answers = await asyncio.gather(*(told(address(gateway), requests.bytes_of(at)) for at in range(len(SHAPES))))
    found = {}
    for at, shape in enumerate(SHAPES):
        found[shape.name] = requests.arrived(at, upstream.inputs)
        assert answers[at].count(b"\r\nX-Request-Id: ") == max(len(shape.meant), 1), shape.name
    assert found == {shape.name: shape.meant for shape in SHAPES}


async def test_behind_nginx_nobody_gets_anothers_answer(gateway: Gateway, upstream: Upstream) -> None:
    requests = Requests(OWN, "front")
    with front(gateway) as path:
        found = {}
        for at, shape in enumerate(SHAPES):
            await told(path, requests.bytes_of(at))
            found[shape.name] = requests.arrived(at, upstream.inputs)
            mine = f"X-Request-Id: victim-{at}"
            victim = await told(path, requests.request(f"victim {at}", mine, "Connection: close"))
            assert f"{mine}\r\n".encode() in victim, shape.name
            assert upstream.inputs[-1] == f"victim {at}", shape.name
    assert found == {shape.name: shape.meant if shape.front is None else shape.front for shape in SHAPES}
