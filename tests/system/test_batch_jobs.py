"""Batch jobs on the real process: a worker that is killed, a gateway that is stopped, a model of our own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from fakes.jina_upstream import KEY, Upstream, presented, vector
from fakes.running_gateway import MODEL, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import psutil
    from fakes.running_gateway import Gateway

TENANT_KEY = "jina_" + "t" * 60
AUTH = {"Authorization": f"Bearer {TENANT_KEY}"}
NANO = "jina-embeddings-v5-text-nano"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", timeout: 60}}}}
tiers: {{open: {{}}}}
tenants: {{t: {{tier: open, keys: ["{tenant}"]}}}}
cache: {{claim_seconds: 1}}
server: {{drain_timeout: 1}}
store: {{timeout: 10}}
jobs: {{chunk: 8, concurrency: 4, slots: 2, lease_seconds: 3}}
"""
LINES = 320
HELD_FROM = 80


class Counting(Upstream):
    """Bills what it answered. From `HELD_FROM` inputs on calls wait at the gate; who hangs up there pays nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.held = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(self.inputs) >= HELD_FROM:
            self.held += 1
            try:
                await self.gate.wait()
            finally:
                self.held -= 1
        reply = self.reply(request.path, body, request.headers["Authorization"])
        return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)


@asynccontextmanager
async def counting() -> AsyncIterator[tuple[Counting, str]]:
    upstream = Counting()
    application = web.Application(client_max_size=1 << 28)
    application.router.add_post("/v1/{name}", upstream.answer)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield upstream, "http://127.0.0.1:{1}".format(*runner.addresses[0])
    finally:
        upstream.gate.set()
        await runner.cleanup()


def lines() -> list[dict[str, Any]]:
    """Every tenth text is the one before; two lines are bad."""
    made = [{"custom_id": f"r{at}", "body": {"input": f"text {at - (at % 10 == 9)}"}} for at in range(LINES)]
    made[5] = {"custom_id": "r5", "body": {}}
    made[100] = {"custom_id": "r100", "body": {"input": {"image": "https://example.com/a.png"}}}
    return made


async def created(gateway: Gateway, **fields: Any) -> str:
    answer = await gateway.post("/v1/batch/embeddings", {"model": NANO, "input": lines(), **fields})
    assert (answer.status, answer.json["status"]) == (200, "pending")
    name: str = answer.json["batch_id"]
    return name


async def status(gateway: Gateway, name: str) -> dict[str, Any]:
    answer = await gateway.get(f"/v1/batch/{name}", Authorization=f"Bearer {gateway.key}")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


async def ended(gateway: Gateway, name: str) -> dict[str, Any]:
    async def over() -> bool:
        return (await status(gateway, name))["status"] not in {"pending", "processing"}

    await until(over)
    return await status(gateway, name)


async def at_the_gate(gateway: Gateway, upstream: Counting, name: str) -> None:
    """Four calls, two of each worker, wait; everything that was answered is marked."""

    async def settled() -> bool:
        stats = (await status(gateway, name))["stats"]
        return upstream.held == 4 and stats["completed"] + stats["failed"] == 8 * len(upstream.calls)

    await until(settled)


async def complete(gateway: Gateway, upstream: Counting, name: str) -> None:
    """The job has every line that it should, in order, and each distinct input was billed once."""
    found = await ended(gateway, name)
    assert (found["status"], found["error"]) == ("completed", None)
    stats = found["stats"]
    assert (stats["total"], stats["completed"], stats["failed"]) == (LINES, LINES - 2, 2)
    good = [line for line in lines() if line["custom_id"] not in {"r5", "r100"}]
    assert Counter(map(str, upstream.inputs)) == Counter({line["body"]["input"] for line in good})
    output = await gateway.get(f"/v1/batch/{name}/output", **AUTH)
    read = [json.loads(line) for line in output.body.splitlines()]
    assert [line["custom_id"] for line in read] == [line["custom_id"] for line in good]
    for line, asked in zip(read, good, strict=True):
        data = line["response"]["body"]["data"]
        wanted = presented(vector([{"model": NANO, "task": "text-matching"}, asked["body"]["input"]], 1024), {})
        assert data[0]["embedding"] == pytest.approx(wanted, abs=1e-6)
    errors = await gateway.get(f"/v1/batch/{name}/errors", **AUTH)
    refused = [json.loads(line) for line in errors.body.splitlines()]
    assert [(line["custom_id"], line["line"], line["error"]["code"]) for line in refused] == [
        ("r5", 6, "INPUT_INVALID"),
        ("r100", 101, "INPUT_INVALID"),
    ]


def workers(gateway: Gateway) -> list[psutil.Process]:
    return [child for child in gateway.children() if "gateway.processes.worker" in child.cmdline()]


async def test_a_worker_that_is_killed_loses_no_line_and_pays_none_twice() -> None:
    async with counting() as (upstream, url):
        config = CONFIG.format(url=url, key=KEY, tenant=TENANT_KEY)
        async with launched(config, workers=2, key=TENANT_KEY) as gateway:
            name = await created(gateway)
            await at_the_gate(gateway, upstream, name)
            victim = workers(gateway)[0]
            os.kill(victim.pid, signal.SIGKILL)

            async def half_are_gone() -> bool:
                return upstream.held == 2

            await until(half_are_gone)
            upstream.gate.set()
            await complete(gateway, upstream, name)


async def test_a_gateway_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    async with counting() as (upstream, url):
        config = CONFIG.format(url=url, key=KEY, tenant=TENANT_KEY)
        async with launched(config, workers=2, key=TENANT_KEY, data=tmp_path / "d") as gateway:
            name = await created(gateway)
            await at_the_gate(gateway, upstream, name)
        assert not upstream.held
        upstream.gate.set()
        async with launched(config, workers=2, key=TENANT_KEY, data=tmp_path / "d") as gateway:
            await complete(gateway, upstream, name)


async def test_what_the_cache_holds_is_not_asked_and_results_feed_it() -> None:
    async with counting() as (upstream, url):
        upstream.gate.set()
        config = CONFIG.format(url=url, key=KEY, tenant=TENANT_KEY)
        async with launched(config, key=TENANT_KEY) as gateway:
            await gateway.embed(["text 0", "text 1"], model=NANO)
            name = await created(gateway)
            await complete(gateway, upstream, name)
            asked = len(upstream.calls)
            answer = await gateway.embed([f"text {at}" for at in (2, 3, 318)], model=NANO)
            assert (answer.cached, len(upstream.calls)) == ((3, 0), asked)


async def test_a_model_of_our_own(local: Gateway) -> None:
    body = {"model": MODEL, "input": [{"body": {"input": "One text."}}, {"body": {"input": "Another."}}]}
    answer = await local.post("/v1/batch/embeddings", body)
    assert answer.status == 200
    found = await ended(local, answer.json["batch_id"])
    assert found["stats"]["completed"] == 2
    output = await local.get(found["output_url"].removeprefix(local.url))  # signed: no key is needed
    vectors = [json.loads(line)["response"]["body"]["data"][0]["embedding"] for line in output.body.splitlines()]
    online = (await local.embed(["One text.", "Another."])).json["data"]
    assert vectors == [entry["embedding"] for entry in online]
