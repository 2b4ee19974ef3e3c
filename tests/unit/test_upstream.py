from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from gateway.config.backends import Backend
from gateway.errors import TransportError
from gateway.ports import Exchange
from gateway.upstream import Upstream, address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADDRESSES = [
    ("https://api.jina.ai", "/v1/embeddings", "https://api.jina.ai/v1/embeddings"),
    ("https://api.jina.ai/", "/v1/embeddings", "https://api.jina.ai/v1/embeddings"),
    ("https://api.jina.ai/v1", "/v1/embeddings", "https://api.jina.ai/v1/embeddings"),
    ("https://x.example/?api-version=1", "/openai/e", "https://x.example/openai/e?api-version=1"),
    ("http://host:80/prefix", "/embed", "http://host:80/prefix/embed"),
    ("unix:/run/model.sock", "/embed", "http://backend/embed"),
]


@pytest.mark.parametrize(("base", "path", "expected"), ADDRESSES)
def test_address(base: str, path: str, expected: str) -> None:
    assert address(base, path) == expected


async def echo(request: web.Request) -> web.StreamResponse:
    if request.path == "/redirect":
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})
    if request.path == "/never":
        await asyncio.Event().wait()
    if request.path == "/drop":
        assert request.transport is not None
        request.transport.abort()
    body = await request.read()
    return web.Response(status=418, body=body, headers={"X-Key": request.headers.get("authorization", "none")})


@pytest.fixture
async def socket_path() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path}", echo)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    with TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        path = str(Path(folder) / "s")
        await web.UnixSite(runner, path).start()
        yield path
        await runner.cleanup()


@pytest.fixture
async def upstream(socket_path: str) -> AsyncIterator[Upstream]:
    made = Upstream(
        {
            "there": Backend(dialect="tei", url=f"unix:{socket_path}"),
            "gone": Backend(dialect="tei", url=f"unix:{socket_path}.gone"),
            "refused": Backend(dialect="jina", url="http://127.0.0.1:1"),
        }
    )
    yield made
    await made.close()


async def test_bytes_go_out_and_come_back_whatever_the_status(upstream: Upstream) -> None:
    reply = await upstream.send("there", Exchange("POST", "/x", b"abc", {"authorization": "Bearer k"}), 5)
    assert (reply.status, reply.body, reply.headers["x-key"]) == (418, b"abc", "Bearer k")


async def test_redirects_are_not_followed(upstream: Upstream) -> None:
    assert (await upstream.send("there", Exchange("GET", "/redirect"), 5)).status == 302


@pytest.mark.parametrize("backend", ["gone", "refused"])
async def test_nobody_there(upstream: Upstream, backend: str) -> None:
    with pytest.raises(TransportError) as raised:
        await upstream.send(backend, Exchange("GET", "/x"), 5)
    assert not raised.value.timed_out


async def test_no_reply_in_time_and_a_dropped_connection_are_told_apart(upstream: Upstream) -> None:
    with pytest.raises(TransportError) as raised:
        await upstream.send("there", Exchange("GET", "/never"), 0.05)
    assert raised.value.timed_out
    with pytest.raises(TransportError) as raised:
        await upstream.send("there", Exchange("GET", "/drop"), 5)
    assert not raised.value.timed_out


async def test_a_reply_beyond_the_limit_is_given_up(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.upstream.REPLY_LIMIT", 2)
    with pytest.raises(TransportError, match="too large"):
        await upstream.send("there", Exchange("POST", "/x", b"abc"), 5)


@pytest.fixture
async def receiver() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path}", echo)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://127.0.0.1:{1}".format(*runner.addresses[0])
    await runner.cleanup()


@pytest.mark.parametrize(("path", "status"), [("/x", 418), ("/redirect", 302)])
async def test_a_post_goes_where_it_is_told_and_no_further(
    upstream: Upstream, receiver: str, path: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert await upstream.post(receiver + path, b"x" * 1_000_000, {"webhook-id": "m"}, 5) == status


@pytest.mark.parametrize("path", ["/never", "/drop"])
async def test_a_post_without_an_answer(upstream: Upstream, receiver: str, path: str) -> None:
    with pytest.raises(TransportError) as raised:
        await upstream.post(receiver + path, b"{}", {}, 0.2)
    assert raised.value.timed_out is (path == "/never")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[/", "http://" + "x" * 300 + "/"])
async def test_a_post_to_nobody(upstream: Upstream, url: str) -> None:
    with pytest.raises(TransportError):
        await upstream.post(url, b"{}", {}, 5)
