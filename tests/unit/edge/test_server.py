from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY

from gateway.config.schema import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

BODY = orjson.dumps({"model": "jina-embeddings-v3", "input": "a"})
KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
JSON = {"Content-Type": "application/json"}
LEFT = ("X-RateLimit-Remaining-Requests", "X-RateLimit-Remaining-Tokens")

REFUSED: list[tuple[str, str, str, dict[str, str], bytes, int, str]] = [
    ("unknown route", "GET", "/nowhere", {}, b"", 404, "RESOURCE_NOT_FOUND"),
    ("unknown route below v1", "POST", "/v1/nowhere", KEY, BODY, 404, "RESOURCE_NOT_FOUND"),
    ("trailing slash", "POST", "/v1/embeddings/", KEY, BODY, 404, "RESOURCE_NOT_FOUND"),
    ("wrong method", "GET", "/v1/embeddings", KEY, b"", 405, "METHOD_NOT_ALLOWED"),
    ("wrong method on a probe", "POST", "/health", {}, b"", 405, "METHOD_NOT_ALLOWED"),
    ("no key", "POST", "/v1/embeddings", JSON, BODY, 401, "AUTH_MISSING_API_KEY"),
    ("wrong scheme", "POST", "/v1/embeddings", {"Authorization": "Basic x"}, BODY, 401, "AUTH_INVALID_FORMAT"),
    ("wrong key", "POST", "/v1/embeddings", {"Authorization": "Bearer jina_x"}, BODY, 401, "AUTH_INVALID_API_KEY"),
    ("bad JSON", "POST", "/v1/embeddings", KEY | JSON, b"{", 422, "INPUT_INVALID"),
    ("empty body", "POST", "/v1/embeddings", KEY | JSON, b"", 422, "INPUT_INVALID"),
    ("a list", "POST", "/v1/rerank", KEY | JSON, b"[1]", 422, "INPUT_INVALID"),
    ("form", "POST", "/v1/rerank", KEY | {"Content-Type": "text/plain"}, BODY, 415, "INPUT_UNSUPPORTED_MEDIA_TYPE"),
    (
        "compressed",
        "POST",
        "/v1/embeddings",
        KEY | JSON | {"Content-Encoding": "gzip"},
        gzip.compress(BODY),
        415,
        "INPUT_UNSUPPORTED_MEDIA_TYPE",
    ),
    ("oversize", "POST", "/v1/embeddings", KEY | JSON, b" " * 100_001, 413, "INPUT_TOO_LARGE"),
    ("unknown model", "POST", "/v1/embeddings", KEY | JSON, b'{"model":"x","input":"a"}', 400, "INPUT_MODEL_NOT_FOUND"),
    ("model of no name", "GET", "/v1/models/x", {}, b"", 404, "RESOURCE_NOT_FOUND"),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
async def test_every_refusal_is_json_with_detail_code_and_id(  # noqa: PLR0913, PLR0917 - a table's columns
    served: Any,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    async with client.request(method, served.url + path, headers=headers, data=body) as response:
        content = await response.json()
    assert (response.status, content["code"]) == (status, code)
    assert response.content_type == "application/json"
    assert (response.headers["X-Content-Type-Options"], response.headers["Server"]) == ("nosniff", "gateway")
    assert isinstance(content["detail"], str)
    assert content["request_id"] == response.headers["X-Request-Id"]
    assert content["error"]["message"] == content["detail"]
    if status == 405:
        assert response.headers["Allow"]
    if status == 401:
        assert response.headers["WWW-Authenticate"] == "Bearer"
    known = SEARCH_KEY in headers.get("Authorization", "") and path in {"/v1/embeddings", "/v1/rerank"}
    assert all((name in response.headers) is (known and status != 405) for name in LEFT)


NOT_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", NOT_HTTP, ids=range(len(NOT_HTTP)))
async def test_what_is_not_http_gets_json_too(raw: Callable[[bytes], bytes], request_bytes: bytes) -> None:
    answer = await asyncio.to_thread(raw, request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    content = orjson.loads(body)
    assert content["code"] == "INPUT_INVALID"
    assert isinstance(content["detail"], str)
    assert content["request_id"]


async def test_a_broken_chunked_body_is_a_422(raw: Callable[[bytes], bytes]) -> None:
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SEARCH_KEY}\r\n"
    answer = await asyncio.to_thread(raw, head.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")
    assert answer.split()[1] in {b"400", b"422"}
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "INPUT_INVALID"


async def test_an_answer_carries_limits_cache_status_and_the_clients_request_id(
    served: Any, client: aiohttp.ClientSession
) -> None:
    for status, left in (("gateway; fwd=miss; stored", "9"), ("gateway; hit", "8")):
        headers = KEY | JSON | {"X-Request-Id": "mine-1"}
        async with client.post(served.url + "/v1/embeddings", data=BODY, headers=headers) as response:
            content = await response.json()
        assert response.status == 200
        assert len(content["data"][0]["embedding"]) == 1024
        assert response.headers["Cache-Status"] == status
        assert response.headers["X-RateLimit-Remaining-Requests"] == left
        assert response.headers["X-RateLimit-Remaining-Tokens"] == "999"
        assert response.headers["X-Request-Id"] == "mine-1"


@pytest.mark.parametrize("sent", ["bad id", "x" * 65, "a\tb"])
async def test_an_unsafe_request_id_is_replaced(served: Any, client: aiohttp.ClientSession, sent: str) -> None:
    async with client.get(served.url + "/health", headers={"X-Request-Id": sent}) as response:
        assert response.headers["X-Request-Id"] != sent


async def test_a_large_body_may_ask_before_it_comes(served: Any, client: aiohttp.ClientSession) -> None:
    async with client.post(served.url + "/v1/embeddings", data=BODY, headers=KEY | JSON, expect100=True) as response:
        assert response.status == 200


async def test_retry_after_is_on_a_429(served: Any, client: aiohttp.ClientSession) -> None:
    for _ in range(11):
        async with client.post(served.url + "/v1/embeddings", data=BODY, headers=KEY | JSON) as response:
            content = await response.json()
    assert (response.status, content["code"]) == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert response.headers["Retry-After"] == "61"
    assert response.headers["X-RateLimit-Remaining-Requests"] == "0"
    assert content["detail"] == "Request rate limit exceeded: 10/10 requests per minute"


PROBES = [
    ("/health", "status"),
    ("/live", "status"),
    ("/ready", "status"),
    ("/v1/models", "data"),
    ("/openapi.json", "openapi"),
]


@pytest.mark.parametrize(("path", "field"), PROBES)
async def test_probes_and_lists_need_no_key(served: Any, client: aiohttp.ClientSession, path: str, field: str) -> None:
    async with client.get(served.url + path) as response:
        assert response.status == 200
        assert field in await response.json()
    async with client.head(served.url + path) as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_a_model_is_found_by_both_forms_of_its_name(served: Any, client: aiohttp.ClientSession) -> None:
    bodies = []
    for name in ("jina-embeddings-v3", "jina-ai/jina-embeddings-v3", "jina-ai%2Fjina-embeddings-v3"):
        async with client.get(f"{served.url}/v1/models/{name}") as response:
            assert response.status == 200
            bodies.append(await response.json())
    assert bodies[0] == bodies[1] == bodies[2]


async def test_ready_follows_the_store_and_live_does_not(served: Any, client: aiohttp.ClientSession) -> None:
    served.gateway.quota.down = True
    for path, status in (("/ready", 503), ("/live", 200), ("/health", 200)):
        async with client.get(served.url + path) as response:
            assert response.status == status
            assert (await response.json()).get("code", "SERVICE_UNAVAILABLE") == "SERVICE_UNAVAILABLE"


async def test_metrics_count_what_happened_under_closed_labels(served: Any, client: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with client.post(served.url + "/v1/embeddings", data=BODY, headers=KEY | JSON) as response:
            assert response.status == 200
    for number in range(3):
        async with client.get(f"{served.url}/random/{number}") as response:
            assert response.status == 404
    async with client.get(served.url + "/metrics") as response:
        text = await response.text()
    for line in (
        'gateway_requests_total{code="OK",endpoint="embeddings",status="200"} 2.0',
        'gateway_requests_total{code="RESOURCE_NOT_FOUND",endpoint="other",status="404"} 3.0',
        'gateway_cache_units_total{endpoint="embeddings",outcome="hit"} 1.0',
        'gateway_cache_units_total{endpoint="embeddings",outcome="miss"} 1.0',
        'gateway_tokens_total{kind="reported",model="jina-embeddings-v3"} 2.0',
        'gateway_tokens_total{kind="upstream",model="jina-embeddings-v3"} 1.0',
        'gateway_upstream_calls_total{backend="jina",endpoint="embeddings",outcome="answered"} 1.0',
    ):
        assert line in text
    assert 'gateway_stage_seconds_count{stage="plan"} 1.0' in text  # the second took the fast path
    assert "random" not in text


async def test_a_defect_is_a_500_that_says_nothing(
    served: Any, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("secret input")

    monkeypatch.setattr(served.gateway.pipeline, "serve", fail)
    async with client.post(served.url + "/v1/embeddings", data=BODY, headers=KEY | JSON) as response:
        content = await response.json()
    assert (response.status, content["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in str(content) + capsys.readouterr().err


class TestContractErrors:
    @pytest.fixture
    def server_settings(self) -> Server:
        return Server(errors="contract")

    async def test_only_the_contracts_fields_are_sent(self, served: Any, client: aiohttp.ClientSession) -> None:
        async with client.post(served.url + "/v1/embeddings", data=BODY, headers=JSON) as response:
            assert set(await response.json()) == {"detail", "code", "request_id"}


class TestLenient:
    @pytest.fixture
    def server_settings(self) -> Server:
        return Server(validation="lenient")

    async def test_an_unknown_field_is_dropped_with_a_warning(self, served: Any, client: aiohttp.ClientSession) -> None:
        body = orjson.dumps({"model": "jina-embeddings-v3", "input": "a", "priority": "me"})
        async with client.post(served.url + "/v1/embeddings", data=body, headers=KEY | JSON) as response:
            assert response.status == 200
            assert "priority" in response.headers["X-Gateway-Warning"]
        assert "priority" not in served.gateway.upstream.calls[0]


async def test_ready_says_degraded_where_the_store_is_not_required(served: Any, client: aiohttp.ClientSession) -> None:
    snapshot = served.gateway.pipeline.snapshot
    server = snapshot.config.server.model_copy(update={"ready_requires_store": False})
    served.gateway.pipeline.snapshot = replace(snapshot, config=snapshot.config.model_copy(update={"server": server}))
    served.gateway.quota.down = True
    async with client.get(served.url + "/ready") as response:
        assert (response.status, (await response.json())["status"]) == (200, "degraded")
