"""E: the reader and its like through the real process: our key there, their words back, limits and cache between."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched, until
from fakes.streaming_upstream import StreamingUpstream, streaming_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Answer, Gateway

TENANT_KEY = "key-of-the-tenant"
CONFIG = """
backends:
  jina: {{dialect: jina, url: "{url}/api", key: "{key}", reader_url: "{url}/r", search_url: "{url}/s",
         segment_url: "{url}/segment", relay_segments: true}}
tenants: {{one: {{tier: key, keys: [{tenant}]}}}}
"""
JSON = {"Content-Type": "application/json"}
KEYED = {"Authorization": f"Bearer {TENANT_KEY}"}
PAGE = json.dumps({"code": 200, "data": {"content": "# Title", "usage": {"tokens": 21}}}).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[StreamingUpstream]:
    async with streaming_upstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream: StreamingUpstream) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream.url, key=KEY, tenant=TENANT_KEY)
    async with launched(config, key=TENANT_KEY, workers=2) as running:
        yield running


async def test_a_page_is_read_once_for_all_workers_and_charged_once(
    gateway: Gateway, upstream: StreamingUpstream
) -> None:
    async def read() -> Answer:
        return await gateway.get(
            "/reader/https://example.com/a%2Fb?c=%20d", **KEYED, Accept="application/json", Cookie="a=b"
        )

    first = asyncio.ensure_future(read())
    call = await upstream.asked.get()
    assert (call.method, call.path) == ("GET", "/r/https://example.com/a%2Fb?c=%20d")
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert "Cookie" not in call.headers
    call.answer(PAGE, kind=JSON)
    assert (await first).body == PAGE
    for answer in await asyncio.gather(*(read() for _ in range(6))):
        assert (answer.body, answer.headers["Cache-Status"]) == (PAGE, "gateway; hit")
    assert upstream.asked.empty()

    async def counted() -> bool:
        used = (await gateway.get("/v1/usage", **KEYED)).json["totals"]
        return (used["requests"], used["upstream_tokens"], used["saved_tokens"]) == (7, 21, 21 * 6)

    await until(counted)


async def test_a_refusal_keeps_its_words_and_ours_have_our_shape(gateway: Gateway, upstream: StreamingUpstream) -> None:
    told = b'{"data":null,"code":451,"status":45102,"name":"SecurityCompromiseError"}'
    asking = asyncio.ensure_future(gateway.get("/reader/https://example.org/", **KEYED))
    (await upstream.asked.get()).answer(told, status=451, kind=JSON)
    answer = await asking
    assert (answer.status, answer.body) == (451, told)
    inside = await gateway.get("/reader/http://127.0.0.1:6379/", **KEYED)
    assert inside.failure == (422, "INPUT_INVALID")
    missing = await gateway.get("/ground/anything", **KEYED)
    assert missing.failure == (404, "RESOURCE_NOT_FOUND")
    nobody = await gateway.get("/search/anything")
    assert nobody.failure == (401, "AUTH_MISSING_API_KEY")
    assert upstream.asked.empty()


async def test_snapshots_come_one_by_one_and_end_with_their_client(
    gateway: Gateway, upstream: StreamingUpstream
) -> None:
    http = aiohttp.ClientSession()
    headers = KEYED | {"Accept": "text/event-stream"}
    asking = asyncio.ensure_future(http.get(f"{gateway.url}/reader/https://example.com/", headers=headers))
    call = await upstream.asked.get()
    assert call.headers["Accept"] == "text/event-stream"
    call.steps.put_nowait(b"data: " + PAGE + b"\n\n")
    answer = await asking
    assert await answer.content.readuntil(b"\n\n") == b"data: " + PAGE + b"\n\n"
    answer.close()
    await http.close()
    await call.gone.wait()


async def test_a_search_is_posted_and_counted_by_its_own_limit(gateway: Gateway, upstream: StreamingUpstream) -> None:
    async def search(words: str) -> Answer:
        return await gateway.post("/search/", {"q": words})

    asking = asyncio.ensure_future(search("bread"))
    call = await upstream.asked.get()
    assert (call.method, call.path, json.loads(call.body)) == ("POST", "/s/", {"q": "bread"})
    call.answer(PAGE, kind=JSON)
    assert (await asking).status == 200
    answers = await asyncio.gather(*(search("bread") for _ in range(45)))
    assert sorted(answer.status for answer in answers) == [200] * 39 + [429] * 6


async def test_segments_and_tuning_are_relayed(gateway: Gateway, upstream: StreamingUpstream) -> None:
    asking = asyncio.ensure_future(gateway.post("/v1/segment", {"content": "a"}))
    call = await upstream.asked.get()
    assert (call.method, call.path) == ("POST", "/segment/")
    call.answer(b'{"num_tokens": 5}', kind=JSON)
    assert (await asking).json == {"num_tokens": 5}
    asking = asyncio.ensure_future(gateway.post("/v1/fine-tuning", {"domain": "bread"}))
    call = await upstream.asked.get()
    assert (call.path, call.headers["Authorization"]) == ("/api/v1/fine-tuning", f"Bearer {KEY}")
    call.answer(b'{"id": "job"}', kind=JSON)
    assert (await asking).json == {"id": "job"}

    async def charged() -> bool:
        return int((await gateway.get("/v1/usage", **KEYED)).json["totals"]["tokens"]) > 1_000_000

    await until(charged)
