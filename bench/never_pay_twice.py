"""Tokens billed ÷ tokens of distinct inputs, for workloads that repeat themselves, beside a plain whole-request cache.

The gateway is the real process with its embedded store; the upstream is the tests' stand-in for Jina, which counts
what it is asked. The plain cache is a dictionary from request body to answer, as proxies have it.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.jina_upstream import Upstream, tokens_of  # noqa: E402 - after the path is set
from performance.programs import free_port  # noqa: E402 - as above
from performance.servers import KEY, gateway_config  # noqa: E402 - as above

Call = tuple[str, dict[str, Any]]
MODEL = "jina-embeddings-v3"
RERANKER = "jina-reranker-v2-base-multilingual"
START_SECONDS = 60


def embed(texts: list[str], **fields: object) -> Call:
    """An embeddings call."""
    return "embeddings", {"model": MODEL, "input": texts, **fields}


def rank(query: str, documents: list[str], **fields: object) -> Call:
    """A rerank call."""
    return "rerank", {"model": RERANKER, "query": query, "documents": documents, **fields}


def workloads() -> dict[str, list[list[Call]]]:
    """Waves of calls; the calls of a wave are sent at once."""
    chance = random.Random(3)  # noqa: S311 - a reproducible workload
    texts = [f"text number {number} of some words" for number in range(200)]
    changed = [f"{text} changed" if number % 20 == 0 else text for number, text in enumerate(texts)]
    forms: list[dict[str, object]] = [
        {"embedding_type": "float"},
        {"embedding_type": "base64"},
        {"dimensions": 256},
        {"dimensions": 512},
        {"dimensions": 1024},
    ]
    queries = ["first question", "second question"]
    overlapping = [chance.sample(texts, 60) for _ in range(8)]
    return {
        "duplicates in a list": [[embed(chance.choices(texts[:20], k=100))]],
        "the same call, 50 at once": [[embed(texts[:10])] * 50],
        "overlapping lists, 20 at once": [[embed(chance.sample(texts, 40)) for _ in range(20)]],
        "float, base64, 256, 512, 1024 dimensions": [[embed(texts[:50], **form)] for form in forms],
        "rerank: overlapping sets, orders, top_n": [
            [rank(queries[at % 2], documents, top_n=1 + at)] for at, documents in enumerate(overlapping)
        ],
        "re-index with 5 % changed": [
            [embed(chunk) for chunk in chunks(texts, 50)],
            [embed(chunk) for chunk in chunks(changed, 40)],
        ],
    }


def chunks(texts: list[str], size: int) -> list[list[str]]:
    """Consecutive pieces."""
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def inputs(body: dict[str, Any]) -> list[Any]:
    """What a call asks about."""
    listed: list[Any] = body["input"] if "input" in body else body["documents"]
    return listed


def billed(calls: list[dict[str, Any]]) -> int:
    """Tokens of some upstream calls, as the upstream counts them."""
    return sum(
        tokens_of(entry) + (tokens_of(call["query"]) if "query" in call else 0)
        for call in calls
        for entry in inputs(call)
    )


def distinct(waves: list[list[Call]]) -> int:
    """Tokens of every distinct input of a workload."""
    seen: dict[str, int] = {}
    for wave in waves:
        for _, body in wave:
            for entry in inputs(body):
                query = body.get("query")
                seen[json.dumps([body["model"], query, entry])] = billed([{"input": [entry]}]) + (
                    tokens_of(query) if query else 0
                )
    return sum(seen.values())


def plain(waves: list[list[Call]]) -> int:
    """What a whole-request cache pays: a call is free once an equal one has been answered, not while it runs."""
    known: set[str] = set()
    total = 0
    for wave in waves:
        bodies = [json.dumps(body) for _, body in wave]
        total += sum(billed([body]) for (_, body), text in zip(wave, bodies, strict=True) if text not in known)
        known.update(bodies)
    return total


async def through(address: str, waves: list[list[Call]]) -> None:
    """Send a workload."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

        async def send(endpoint: str, body: dict[str, Any]) -> None:
            async with session.post(f"{address}/v1/{endpoint}", json=body) as response:
                await response.read()
                response.raise_for_status()

        for wave in waves:
            await asyncio.gather(*(send(endpoint, body) for endpoint, body in wave))


async def measure(name: str, waves: list[list[Call]]) -> None:
    """One workload on a gateway of its own; prints a row."""
    upstream, port, listening = Upstream(), free_port(), free_port()
    runner = web.AppRunner(upstream.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    with tempfile.TemporaryDirectory(prefix="gwn", dir="/tmp") as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps(gateway_config(port)))
        options = ["--config", str(config), "--port", str(listening), "--workers", "2", "--data-dir", f"{folder}/data"]
        command = [sys.executable, "-m", "gateway", "serve", *options]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await until_listening(listening)
            await through(f"http://127.0.0.1:{listening}", waves)
        finally:
            process.terminate()
            await process.wait()
    await runner.cleanup()
    base = distinct(waves)
    print(f"| {name} | {billed(upstream.calls) / base:.2f} | {plain(waves) / base:.2f} |")


async def until_listening(port: int) -> None:
    """Wait for a gateway that starts."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


async def main() -> None:
    """Print the table."""
    print("| workload | gateway, two workers: billed ÷ distinct | whole-request cache |")
    print("| --- | --- | --- |")
    for name, waves in workloads().items():
        await measure(name, waves)


if __name__ == "__main__":
    asyncio.run(main())
