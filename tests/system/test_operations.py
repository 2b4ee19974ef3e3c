from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from fakes.running_gateway import PATIENCE

if TYPE_CHECKING:
    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/health", {"status": "healthy"}),
        ("/live", {"status": "alive"}),
        ("/ready", {"status": "ready", "checks": {"store": "ok"}}),
    ],
)
async def test_the_probes_need_no_key(remote: Gateway, path: str, expected: dict[str, Any]) -> None:
    answer = await remote.get(path)
    assert (answer.status, answer.json) == (200, expected)
    assert answer.headers["X-Request-Id"]


async def test_the_api_describes_itself(remote: Gateway) -> None:
    description = (await remote.get("/openapi.json")).json
    assert description["openapi"].startswith("3.")
    assert {"/v1/embeddings", "/v1/rerank", "/v1/models"} <= description["paths"].keys()
    assert {"EmbeddingsV3Request", "RerankerV3Request"} <= description["components"]["schemas"].keys()


async def test_all_models_of_the_contract_are_listed(remote: Gateway) -> None:
    listed = [model["id"] for model in (await remote.get("/v1/models")).json["data"]]
    assert f"jina-ai/{MODEL}" in listed
    assert len(set(listed)) == len(listed) == 25
    assert not [name for name in listed if "MiniLM" in name]
    one = await remote.get(f"/v1/models/{MODEL}")
    assert one.json["id"] == f"jina-ai/{MODEL}"


GOOD = json.dumps({"model": MODEL, "input": "a"}).encode()


@dataclass(frozen=True)
class Request:
    """A request byte by byte; an empty header is left out."""

    method: str = "POST"
    path: str = "/v1/embeddings"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = GOOD

    def sent(self, key: str) -> bytes:
        headers = {
            "Host": "gateway",
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            **self.headers,
        }
        first = f"{self.method} {self.path} HTTP/1.1"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items() if value), "", ""]
        return "\r\n".join(lines).encode() + self.body


REFUSED = {
    "route": (Request(path="/v1/nothing"), 404, "RESOURCE_NOT_FOUND"),
    "method": (Request("PUT"), 405, "METHOD_NOT_ALLOWED"),
    "too large": (Request(headers={"Content-Length": "33554433"}, body=b""), 413, "INPUT_TOO_LARGE"),
    "text": (Request(headers={"Content-Type": "text/plain"}), 415, "INPUT_UNSUPPORTED_MEDIA_TYPE"),
    "gzip": (Request(headers={"Content-Encoding": "gzip"}), 415, "INPUT_UNSUPPORTED_MEDIA_TYPE"),
    "no json": (Request(body=GOOD[:-1]), 422, "INPUT_INVALID"),
    "no model": (Request(body=b"{}"), 422, "INPUT_INVALID"),
    "no key": (Request(headers={"Authorization": ""}), 401, "AUTH_MISSING_API_KEY"),
    "basic": (Request(headers={"Authorization": "Basic eDp5"}), 401, "AUTH_INVALID_FORMAT"),
    "no http": (Request(headers={"Content-Length": "many"}), 400, "INPUT_INVALID"),
}


@pytest.mark.parametrize(("request_", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_each_refusal_is_json_with_detail_code_and_request_id(
    remote: Gateway, request_: Request, status: int, code: str
) -> None:
    [(found, headers, content)] = await raw(remote, request_)
    assert (found, content["code"]) == (status, code)
    assert headers["content-type"].startswith("application/json")
    assert isinstance(content["detail"], str)
    assert content["request_id"] == headers["x-request-id"]
    assert ("errors" in content) == (code == "INPUT_INVALID")
    assert ("allow" in headers) == (status == 405)


async def test_two_requests_sent_at_once_on_one_connection_are_answered_in_order(
    remote: Gateway, upstream: Upstream
) -> None:
    del upstream
    answers = await raw(remote, Request(), Request("GET", "/live", body=b""))
    assert [status for status, _, _ in answers] == [200, 200]
    assert answers[0][2]["object"] == "list"
    assert answers[1][2] == {"status": "alive"}


async def test_a_client_waiting_for_100_continue_is_told_to_go_on(remote: Gateway, upstream: Upstream) -> None:
    del upstream
    reader, writer = await connection(remote)
    request = Request(headers={"Expect": "100-continue"}).sent(remote.key)
    writer.write(request.removesuffix(GOOD))
    async with asyncio.timeout(PATIENCE):
        assert (await answer(reader))[0] == 100
        writer.write(GOOD)
        assert (await answer(reader))[0] == 200
    writer.close()


async def raw(gateway: Gateway, *requests: Request) -> list[tuple[int, dict[str, str], Any]]:
    """All requests at once on one connection, then an answer to each."""
    reader, writer = await connection(gateway)
    writer.write(b"".join(request.sent(gateway.key) for request in requests))
    async with asyncio.timeout(PATIENCE):
        answers = [await answer(reader) for _ in requests]
    writer.close()
    return answers


async def connection(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", urlsplit(gateway.url).port)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split()[1]), headers, json.loads(body) if body else None
