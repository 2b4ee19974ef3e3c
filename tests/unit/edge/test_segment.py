from __future__ import annotations

import asyncio
from dataclasses import replace
from io import BytesIO
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import SEARCH_KEY, configured, snapshot_of

import gateway.edge.segment as route
from gateway.config.schema import Bounds, LimitSettings, Server, Tenant, Tier

if TYPE_CHECKING:
    import aiohttp

KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
COUNTED = {"num_tokens": 2, "tokenizer": "cl100k_base", "usage": {"tokens": 0}}


@pytest.mark.parametrize("path", ["/v1/segment", "/segment"])
@pytest.mark.parametrize("headers", [{}, KEY], ids=["no key", "key"])
async def test_both_paths_answer_with_a_key_and_without(
    served: Any, client: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    async with client.get(served.url + path, params={"content": "hello world"}, headers=headers) as response:
        assert (response.status, await response.json()) == (200, COUNTED)
    body = {"content": "Hello.\n\nWorld.", "return_chunks": True}
    async with client.post(served.url + path, json=body, headers=headers) as response:
        assert (await response.json())["chunk_positions"] == [[0, 8], [8, 14]]
    assert {"X-RateLimit-Remaining-Requests" in response.headers} == {bool(headers)}


async def test_calls_are_counted_and_cost_nothing(served: Any, client: aiohttp.ClientSession) -> None:
    for headers in ({}, KEY):
        async with client.get(served.url + "/segment", params={"content": "a b"}, headers=headers) as response:
            assert response.status == 200
    found = [(facts.tenant, facts.endpoint, facts.items, facts.paid_tokens) for facts in served.gateway.counted]
    assert found == [("@anonymous", "segment", 1, 0), ("search", "segment", 1, 0)]
    used = served.gateway.used("search")
    assert (used.requests, used.tokens) == (1, 0)
    async with client.get(served.url + "/metrics") as response:
        assert 'gateway_requests_total{code="OK",endpoint="segment",status="200"} 2.0' in await response.text()


WRONG = [
    ("GET", {}, {}, "", 422, "INPUT_INVALID"),
    ("POST", {}, KEY, "{}", 422, "INPUT_INVALID"),
    ("POST", {}, {}, '{"content": "' + "a" * 65_537 + '"}', 422, "INPUT_INVALID"),
    ("POST", {}, KEY, '{"content": "' + "a" * 1_100_000 + '"}', 413, "INPUT_TOO_LARGE"),
    ("PUT", {}, KEY, "{}", 405, "METHOD_NOT_ALLOWED"),
    ("GET", {"content": "a"}, {"Authorization": "Bearer nobodys"}, "", 401, "AUTH_INVALID_API_KEY"),
    ("GET", {"content": "a"}, {"Authorization": "Basic x"}, "", 401, "AUTH_INVALID_FORMAT"),
]


class TestWrong:
    @pytest.fixture
    def server_settings(self) -> Server:
        return Server()

    @pytest.mark.parametrize(("method", "query", "headers", "body", "status", "code"), WRONG, ids=range(len(WRONG)))
    async def test_failures_have_the_contracts_shape(  # noqa: PLR0913, PLR0917 - a row of the table
        self,
        served: Any,
        client: aiohttp.ClientSession,
        method: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: str,
        status: int,
        code: str,
    ) -> None:
        sent = headers | {"Content-Type": "application/json"}
        url = served.url + "/v1/segment"
        async with client.request(method, url, params=query, headers=sent, data=BytesIO(body.encode())) as response:
            content = await response.json()
        assert (response.status, content["code"]) == (status, code)
        assert content["request_id"] == response.headers["X-Request-Id"]
        assert bool(content.get("errors")) is (status == 422)


async def test_a_client_address_has_the_limit_of_its_tier(served: Any, client: aiohttp.ClientSession) -> None:
    for _ in range(21):
        async with client.get(served.url + "/segment", params={"content": "a"}) as response:
            content = await response.json()
    assert (response.status, content["code"]) == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert content["detail"] == "Request rate limit exceeded: 20/20 requests per minute"
    assert response.headers["Retry-After"] == "61"
    async with client.get(served.url + "/segment", params={"content": "a"}, headers=KEY) as response:
        assert response.status == 200, "a key has limits of its own"


async def test_each_address_has_its_own(served: Any, client: aiohttp.ClientSession) -> None:
    reconfigured(served, limits=LimitSettings(trusted_proxies=(ip_network("127.0.0.0/8"),)))
    for address, expected in (("192.0.2.1", 429), ("192.0.2.2", 200)):
        for _ in range(21 if expected == 429 else 1):
            headers = {"X-Forwarded-For": address}
            async with client.get(served.url + "/segment", params={"content": "a"}, headers=headers) as response:
                status = response.status
        assert status == expected


def reconfigured(served: Any, **changes: Any) -> None:
    served.gateway.pipeline.snapshot = snapshot_of(configured(**changes))


async def test_a_key_has_the_limit_of_its_tier(served: Any, client: aiohttp.ClientSession) -> None:
    tier = Tier(endpoints={"segment": Bounds(rpm=1)})
    reconfigured(served, tiers={"few": tier}, tenants={"search": Tenant(tier="few", keys=(SEARCH_KEY,))})
    statuses = []
    for _ in range(2):
        async with client.get(served.url + "/segment", params={"content": "a"}, headers=KEY) as response:
            statuses.append(response.status)
    assert statuses == [200, 429]


async def test_a_tier_that_names_no_endpoint_wants_a_key(served: Any, client: aiohttp.ClientSession) -> None:
    tiers = {"small": Tier(), "anonymous": Tier(endpoints={})}
    reconfigured(served, tiers=tiers)
    async with client.get(served.url + "/segment", params={"content": "a"}) as response:
        assert (await response.json())["code"] == "AUTH_MISSING_API_KEY"


async def test_a_key_that_nobody_checks_is_an_address(served: Any, client: aiohttp.ClientSession) -> None:
    reconfigured(served, tenants={}, server=Server(authentication="passthrough"))
    for number in range(21):
        headers = {"Authorization": f"Bearer made-up-{number}"}
        async with client.get(served.url + "/segment", params={"content": "a"}, headers=headers) as response:
            status = response.status
    assert status == 429


async def test_the_longest_text_is_cut_while_others_are_answered(served: Any, client: aiohttp.ClientSession) -> None:
    """Blockbuster would say so if it were not in a thread; the thread is held until the other answer is there."""
    snapshot = served.gateway.pipeline.snapshot
    server = snapshot.config.server.model_copy(update={"body_limit": 10**6})
    served.gateway.pipeline.snapshot = replace(snapshot, config=snapshot.config.model_copy(update={"server": server}))
    body = {"content": "word. " * 10_900, "return_chunks": True, "return_tokens": True}
    async with client.post(served.url + "/segment", json=body) as response:
        content = await response.json()
    assert "".join(content["chunks"]) == body["content"]
    assert sum(len(ids) for chunk in content["tokens"] for _, ids in chunk) >= content["num_tokens"]


async def test_other_calls_are_answered_meanwhile(
    served: Any, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, others = asyncio.get_running_loop(), asyncio.Event()

    def held(_wanted: object) -> bytes:
        asyncio.run_coroutine_threadsafe(others.wait(), loop).result()
        return b"{}"

    monkeypatch.setattr(route, "_segmented", held)
    waiting = asyncio.create_task(_status(client, served.url + "/segment?content=a"))
    assert await _status(client, served.url + "/health") == 200
    assert not waiting.done()
    others.set()
    assert await waiting == 200


async def _status(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as response:
        return response.status
