from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import SEARCH_KEY, configured, snapshot_of
from fakes.jina_upstream import KEY
from fakes.streams import FakeStream
from yarl import URL

import gateway.edge.relayed as route
from gateway.config.backends import Backend
from gateway.config.schema import Tier
from gateway.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

AUTHORIZED = {"Authorization": f"Bearer {SEARCH_KEY}"}
URLS = {name: f"http://{name}" for name in ("reader_url", "search_url", "ground_url", "segment_url")}
CHAT = {"model": "jina-vlm", "messages": [{"role": "user", "content": "hello"}]}
JSON = {"content-type": "application/json"}
SAID = b'data: {"choices": [{"delta": {"content": "hello"}}]}\n\n'


@pytest.fixture
def relaying(served: Any) -> Any:
    """With all services, and room for what they may cost."""
    backend = Backend(dialect="jina", url="http://api", key=KEY, retries=0, **URLS)
    tiers = {"small": Tier(rpm=100, tpm=10_000_000)}
    served.gateway.pipeline.snapshot = snapshot_of(configured(backends={"jina": backend}, tiers=tiers))
    return served


def answers(served: Any, *steps: Any, status: int = 200, headers: dict[str, str] | None = None) -> FakeStream:
    stream = FakeStream(served.gateway.clock, status, headers or JSON, steps)
    served.streams.answers.append(stream)
    return stream


PATHS = [
    ("GET", "/reader/https://example.com/a?b=c%20d", "http://reader_url", "/https://example.com/a?b=c%20d"),
    ("POST", "/reader/", "http://reader_url", "/"),
    ("POST", "/reader", "http://reader_url", "/"),
    ("GET", "/search/?q=bread", "http://search_url", "/?q=bread"),
    ("GET", "/search?q=bread", "http://search_url", "/?q=bread"),
    ("GET", "/search/bread%20oven", "http://search_url", "/bread%20oven"),
    ("POST", "/search/", "http://search_url", "/"),
    ("GET", "/ground/the%20sky", "http://ground_url", "/the%20sky"),
    ("POST", "/ground", "http://ground_url", "/"),
    ("POST", "/v1/fine-tuning", "http://api", "/v1/fine-tuning"),
    ("GET", "/v1/fine-tuning/7?x=1", "http://api", "/v1/fine-tuning/7?x=1"),
]


@pytest.mark.parametrize(("method", "path", "base", "target"), PATHS)
async def test_each_path_leads_to_its_service(  # noqa: PLR0913, PLR0917 - a row of the table
    relaying: Any, client: aiohttp.ClientSession, method: str, path: str, base: str, target: str
) -> None:
    answers(relaying, b'{"data": {"usage": {"tokens": 3}}}')
    body = b'{"url": "https://example.com"}' if method == "POST" else None
    url = URL(relaying.url + path, encoded=True)
    async with client.request(method, url, data=body, headers=AUTHORIZED | JSON) as response:
        assert (response.status, await response.json()) == (200, {"data": {"usage": {"tokens": 3}}})
        assert response.headers["X-Request-Id"]
        assert response.headers["X-RateLimit-Remaining-Requests"] == "99"
    ((found, exchange),) = relaying.streams.asked
    assert (found, exchange.method, exchange.path) == (base, method, target)
    assert exchange.headers["authorization"] == f"Bearer {KEY}"


async def test_what_is_stored_says_so(relaying: Any, client: aiohttp.ClientSession) -> None:
    answers(relaying, b"# Page", headers={"content-type": "text/plain", "x-usage-tokens": "5"})
    seen = []
    for _ in range(2):
        async with client.get(relaying.url + "/reader/https://example.com/", headers=AUTHORIZED) as response:
            seen.append((response.headers["Cache-Status"], response.headers["X-Usage-Tokens"], await response.text()))
            assert response.headers["Content-Type"] == "text/plain"
    assert seen == [("gateway; fwd=miss; stored", "5", "# Page"), ("gateway; hit", "5", "# Page")]


@pytest.mark.parametrize("service", ["reader", "search", "ground"])
async def test_a_service_that_is_not_configured_is_not_found(
    served: Any, client: aiohttp.ClientSession, service: str
) -> None:
    async with client.get(f"{served.url}/{service}/x.example", headers=AUTHORIZED) as response:
        body = await response.json()
    assert (response.status, body["code"]) == (404, "RESOURCE_NOT_FOUND")
    assert f"backends.<name>.{service}_url" in body["detail"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/v1/chat/completions", "GET", "POST"), ("/reader/x", "DELETE", "GET, POST"), ("/search", "PUT", "GET, POST")],
)
async def test_other_methods_are_not_allowed(
    relaying: Any, client: aiohttp.ClientSession, path: str, method: str, allowed: str
) -> None:
    async with client.request(method, relaying.url + path, headers=AUTHORIZED) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/segment", "/segment"])
async def test_segments_are_relayed_only_where_the_configuration_says_so(
    relaying: Any, client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(f"{relaying.url}{path}?content=a", headers=AUTHORIZED) as response:
        assert (await response.json())["num_tokens"] == 1
    assert not relaying.streams.asked
    backend = Backend(dialect="jina", url="http://api", key=KEY, relay_segments=True, **URLS)
    relaying.gateway.pipeline.snapshot = snapshot_of(configured(backends={"jina": backend}))
    answers(relaying, b'{"num_tokens": 77, "usage": {"tokens": 9}}')
    async with client.get(f"{relaying.url}{path}?content=a") as response:  # without a key, too
        assert (await response.json())["num_tokens"] == 77
    assert relaying.streams.asked[0][0] == "http://segment_url"
    assert relaying.streams.asked[0][1].path == "/?content=a"
    assert relaying.gateway.counted[-1].paid_tokens == 0, "segments are free"


async def test_a_chat_that_fails_in_the_middle_ends_in_an_event(relaying: Any, client: aiohttp.ClientSession) -> None:
    stream = answers(relaying, SAID, TransportError("broke"), headers={"content-type": "text/event-stream"})
    async with client.post(
        relaying.url + "/v1/chat/completions", json={**CHAT, "stream": True}, headers=AUTHORIZED
    ) as response:
        body = await response.read()
    assert response.status == 200
    assert body.startswith(SAID + b"event: error\ndata: ")
    told = json.loads(body.rpartition(b"data: ")[2])
    assert (told["code"], told["request_id"]) == ("SERVICE_UNAVAILABLE", response.headers["X-Request-Id"])
    assert stream.closed
    async with client.get(relaying.url + "/metrics") as metrics:
        counted = await metrics.text()
    assert 'endpoint="chat",status="503"} 1' in counted, "what broke off is no success"
    assert 'endpoint="chat",status="200"' not in counted


async def test_a_stream_that_failed_ends_its_connection(relaying: Any, raw: Callable[[bytes], bytes]) -> None:
    answers(relaying, SAID, TransportError("broke"), headers={"content-type": "text/event-stream"})
    body = json.dumps({**CHAT, "stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SEARCH_KEY}\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answer = await asyncio.to_thread(raw, request)  # which reads until the other side closes
    assert b"event: error" in answer


async def test_a_client_that_hangs_up_ends_the_call_at_the_backend(
    relaying: Any, client: aiohttp.ClientSession
) -> None:
    stream = answers(relaying, SAID, asyncio.Event(), headers={"content-type": "text/event-stream"})
    response = await client.post(
        relaying.url + "/v1/chat/completions", json={**CHAT, "stream": True}, headers=AUTHORIZED
    )
    assert await response.content.readuntil(b"\n\n") == SAID
    response.close()
    async with asyncio.timeout(10):
        await stream.gone.wait()
    async with client.get(relaying.url + "/metrics") as metrics:
        assert 'endpoint="chat",status="499"' in await metrics.text()


async def test_a_client_that_takes_nothing_is_cut_off(
    relaying: Any, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "STALLED_SECONDS", 0.01)
    large = b": " + b"x" * 1_000_000 + b"\n\n"
    stream = answers(relaying, *[large] * 60, headers={"content-type": "text/event-stream"})
    response = await client.post(
        relaying.url + "/v1/chat/completions", json={**CHAT, "stream": True}, headers=AUTHORIZED
    )
    await stream.gone.wait()
    with pytest.raises(Exception, match=r"payload|Connection|reset|closed"):
        await response.read()
    assert relaying.gateway.used("search").slots == 0


async def test_chat_is_validated(relaying: Any, client: aiohttp.ClientSession) -> None:
    async with client.post(relaying.url + "/v1/chat/completions", json={}, headers=AUTHORIZED) as response:
        body = await response.json()
    assert (response.status, body["code"]) == (400, "INPUT_INVALID"), "the contract knows no 422 here"
    assert {entry["field"] for entry in body["errors"]} == {"body -> model", "body -> messages"}
    async with client.post(relaying.url + "/v1/chat/completions", json=CHAT) as response:
        assert (response.status, (await response.json())["code"]) == (401, "AUTH_MISSING_API_KEY")
