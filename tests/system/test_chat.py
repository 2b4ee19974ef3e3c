"""E: chat completions through the real process: each piece as it comes, and an end on either side is an end on both."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched, until
from fakes.streaming_upstream import StreamingUpstream, streaming_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

TENANT_KEY = "key-of-the-tenant"
CONFIG = """
backends: {{jina: {{dialect: jina, url: "{url}", key: "{key}", retries: 0}}}}
tiers: {{open: {{rpm: 1000, tpm: 1000000, concurrency: 1}}}}
tenants: {{one: {{tier: open, keys: [{tenant}]}}}}
"""
BODY = {"model": "jina-vlm", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
JSON = {"Content-Type": "application/json"}
AUTHORIZED = {"Authorization": f"Bearer {TENANT_KEY}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[StreamingUpstream]:
    async with streaming_upstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream: StreamingUpstream) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream.url, key=KEY, tenant=TENANT_KEY)
    async with launched(config, key=TENANT_KEY) as running:
        yield running


def delta(text: str) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "jina-vlm"}
    return event({**chunk, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def usage() -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "jina-vlm", "choices": []}
    return event({**chunk, "usage": USAGE})


async def used(gateway: Gateway) -> int:
    """Tokens in the tenant's ledger, which has nothing but chats."""
    answer = await gateway.get("/v1/usage", **AUTHORIZED)
    return int(answer.json["totals"]["tokens"])


async def post(http: aiohttp.ClientSession, gateway: Gateway, **changes: Any) -> aiohttp.ClientResponse:
    return await http.post(f"{gateway.url}/v1/chat/completions", json=BODY | changes, headers=AUTHORIZED)


async def test_a_piece_is_with_the_client_before_the_next_exists(gateway: Gateway, upstream: StreamingUpstream) -> None:
    async with aiohttp.ClientSession() as http:
        waiting = asyncio.ensure_future(post(http, gateway, stream=True))
        call = await upstream.asked.get()
        sent = json.loads(call.body)
        assert sent["stream_options"] == {"include_usage": True}
        assert call.headers["Authorization"] == f"Bearer {KEY}"
        call.steps.put_nowait(delta("Hel"))
        answer = await waiting
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert answer.headers["X-Request-Id"]
        assert answer.headers["X-RateLimit-Remaining-Requests"]
        assert await answer.content.readuntil(b"\n\n") == delta("Hel")
        for piece in (delta("lo"), usage(), b"data: [DONE]\n\n", None):
            call.steps.put_nowait(piece)
        assert await answer.content.read() == delta("lo") + b"data: [DONE]\n\n"


async def test_a_client_that_goes_away_ends_the_call_and_frees_its_place(
    gateway: Gateway, upstream: StreamingUpstream
) -> None:
    before = await used(gateway)
    http = aiohttp.ClientSession()
    waiting = asyncio.ensure_future(post(http, gateway, stream=True))
    call = await upstream.asked.get()
    call.steps.put_nowait(delta("x" * 40))
    answer = await waiting
    await answer.content.readuntil(b"\n\n")
    answer.close()
    await http.close()
    await call.gone.wait()

    async def charged() -> bool:
        return await used(gateway) > before

    await until(charged)
    assert before + 10 < await used(gateway) < before + 40
    async with aiohttp.ClientSession() as again:  # the only place is free
        waiting = asyncio.ensure_future(post(again, gateway))
        (await upstream.asked.get()).answer(json.dumps({"choices": [], "usage": USAGE}).encode(), kind=JSON)
        async with await waiting as answer:
            assert answer.status == 200


async def test_a_client_that_goes_away_before_the_first_byte_ends_the_call_too(
    gateway: Gateway, upstream: StreamingUpstream
) -> None:
    http = aiohttp.ClientSession()
    waiting = asyncio.ensure_future(post(http, gateway))
    call = await upstream.asked.get()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await http.close()
    await call.gone.wait()


async def test_an_error_before_the_first_byte_has_the_contracts_shape(
    gateway: Gateway, upstream: StreamingUpstream
) -> None:
    async with aiohttp.ClientSession() as http:
        waiting = asyncio.ensure_future(post(http, gateway, stream=True))
        (await upstream.asked.get()).answer(b'{"detail": "internal: at 10.0.0.7"}', status=500, kind=JSON)
        answer = await waiting
        body = await answer.json()
    assert (answer.status, body["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert "10.0.0.7" not in json.dumps(body)


@pytest.mark.parametrize("end", ["abort", b'data: {"error": {"message": "secret"}}\n\n'], ids=["broken", "told"])
async def test_an_error_after_the_first_byte_is_an_event(
    gateway: Gateway, upstream: StreamingUpstream, end: str | bytes
) -> None:
    async with aiohttp.ClientSession() as http:
        waiting = asyncio.ensure_future(post(http, gateway, stream=True))
        call = await upstream.asked.get()
        call.steps.put_nowait(delta("Hel"))
        answer = await waiting
        assert await answer.content.readuntil(b"\n\n") == delta("Hel")
        call.steps.put_nowait(end)
        rest = await answer.content.read()
        assert rest.startswith(b"event: error\ndata: {")
        told = json.loads(rest.partition(b"data: ")[2])
        assert told["code"] == "SERVICE_UNAVAILABLE"
        assert told["request_id"] == answer.headers["X-Request-Id"]
        assert b"secret" not in rest


async def test_the_openai_client_streams_and_asks_whole(gateway: Gateway, upstream: StreamingUpstream) -> None:
    async with openai.AsyncOpenAI(api_key=TENANT_KEY, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        messages: Any = BODY["messages"]
        opening = asyncio.ensure_future(
            client.chat.completions.create(
                model="jina-vlm", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        )
        (await upstream.asked.get()).answer(delta("Hel"), delta("lo"), usage(), b"data: [DONE]\n\n")
        said, counted = "", None
        async for chunk in await opening:
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
            counted = chunk.usage or counted
        assert said == "Hello"
        assert counted is not None
        assert counted.total_tokens == 12
        asking = asyncio.ensure_future(client.chat.completions.create(model="jina-vlm", messages=messages))
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "jina-vlm", "usage": USAGE}
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
        (await upstream.asked.get()).answer(json.dumps({**whole, "choices": [choice]}).encode(), kind=JSON)
        assert (await asking).choices[0].message.content == "Hi"
        opening = asyncio.ensure_future(
            client.chat.completions.create(model="jina-vlm", messages=messages, stream=True)
        )
        call = await upstream.asked.get()
        call.steps.put_nowait(delta("Hel"))
        call.steps.put_nowait("abort")
        with pytest.raises(openai.APIError, match="broke off"):
            [chunk async for chunk in await opening]


async def test_what_was_counted_is_in_the_ledger(gateway: Gateway, upstream: StreamingUpstream) -> None:
    before = await used(gateway)
    async with aiohttp.ClientSession() as http:
        waiting = asyncio.ensure_future(post(http, gateway, stream=True))
        (await upstream.asked.get()).answer(delta("Hello"), usage(), b"data: [DONE]\n\n")
        await (await waiting).read()

    async def charged() -> bool:
        return await used(gateway) == before + 12

    await until(charged)
