from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiohttp
import orjson
import psutil

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "${{JINA_API_KEY}}"}}}}
tenants: {{search: {{tier: tier2, keys: ["${{SEARCH_KEY}}"]}}}}
store: {{timeout: 20}}
"""
MODEL, WIDTH, COUNT = "jina-embeddings-v4", 2_048, 4_096
TEXTS = [f"text {number}" for number in range(COUNT)]
VECTORS = COUNT * WIDTH * 4
"""Bytes of the answer's float32 values."""


async def highest(process: psutil.Process, until: asyncio.Event) -> int:
    """Bytes of memory that a process has at most."""
    most = 0
    while not until.is_set():
        most = max(most, process.memory_info().rss)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), 0.002)
    return most


async def received(gateway: Gateway, key: str) -> int:
    """Bytes of the answer, none of them kept."""
    body = orjson.dumps({"model": MODEL, "input": TEXTS})
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    size = 0
    async with (
        aiohttp.ClientSession() as http,
        http.post(gateway.url + "/v1/embeddings", data=body, headers=headers) as answer,
    ):
        assert answer.status == 200
        async for chunk in answer.content.iter_any():
            size += len(chunk)
    return size


async def test_an_answer_of_100_mb_is_sent_without_being_held(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str, tmp_path: Path
) -> None:
    key = "jina_" + "s" * 60
    config = CONFIG.format(url=upstream_url)
    first = await launch(config, data=tmp_path, key=key)
    for start in range(0, COUNT, 512):
        answer = await first.embed(TEXTS[start : start + 512], model=MODEL, embedding_type="base64")
        assert answer.status == 200
    await first.on_disk()
    await first.stop()
    asked = len(upstream.calls)
    gateway = await launch(config, data=tmp_path, key=key)  # whose memory nothing has stretched yet
    assert (await gateway.embed(TEXTS[:8], model=MODEL)).cached == (8, 0)
    worker = psutil.Process(gateway.pid("worker-0"))
    before, done = worker.memory_info().rss, asyncio.Event()
    watching = asyncio.create_task(highest(worker, done))
    size = await received(gateway, key)
    done.set()
    most = await watching
    assert len(upstream.calls) == asked
    assert size > 100_000_000
    assert most - before < VECTORS + size // 4, f"{most - before:,} bytes more"
