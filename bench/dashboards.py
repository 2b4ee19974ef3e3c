"""Draws docs/dashboards with grafana/render.py, from a real Prometheus that scrapes a gateway under made-up traffic.

Two workers in front of a scripted upstream that falters now and then. Takes four minutes; the figures mean nothing.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.jina_upstream import KEY, Fault, Upstream  # noqa: E402 - after the path is set
from fakes.running_gateway import launched  # noqa: E402 - as above
from fakes.running_prometheus import scraping  # noqa: E402 - as above

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

SECONDS = 210.0
BOARDS = ("overview", "savings", "internals")
OF_SEARCH, RERANKED, FAILING = 0.6, 0.2, 0.02
KEYS = {"search": "jina_" + "s" * 60, "ads": "jina_" + "t" * 60}
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: {key}, limits: {{rpm: 3000, tpm: 2000000, concurrency: 16}}}}}}
tiers: {{small: {{rpm: 400, tpm: 200000, concurrency: 8}}}}
tenants: {{search: {{tier: tier1, keys: [{search}]}}, ads: {{tier: small, keys: [{ads}]}}}}
"""


async def call(gateway: Gateway, chance: random.Random) -> None:
    """One request of somebody's; most texts were asked for before."""
    key = KEYS["search" if chance.random() < OF_SEARCH else "ads"]
    texts = [f"text number {int(chance.paretovariate(0.6))}" for _ in range(chance.choice((1, 1, 1, 4, 32)))]
    if chance.random() < RERANKED:
        await gateway.rerank(texts[0], texts, key, "jina-reranker-v2-base-multilingual")
    else:
        await gateway.embed(texts, key, "jina-embeddings-v3")


async def traffic(gateway: Gateway, upstream: Upstream) -> None:
    """Some ten calls a second, with a busy middle, and an upstream that falters in it."""
    chance, loop = random.Random(8), asyncio.get_running_loop()  # noqa: S311 - the same traffic each time
    until, running = loop.time() + SECONDS, set()
    while (left := until - loop.time()) > 0:
        busy = SECONDS / 3 < left < SECONDS / 2
        running.add(task := asyncio.create_task(call(gateway, chance)))
        task.add_done_callback(running.discard)
        if busy and chance.random() < FAILING:
            upstream.faults.append(Fault(503))
        await asyncio.sleep(chance.expovariate(25 if busy else 10))
    await asyncio.gather(*running)


async def main() -> None:
    """See the module."""
    upstream = Upstream()
    runner = web.AppRunner(upstream.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = CONFIG.format(url="http://127.0.0.1:{1}".format(*runner.addresses[0]), key=KEY, **KEYS)
    with tempfile.TemporaryDirectory() as folder:
        async with launched(config, key=KEYS["search"], workers=2) as gateway:
            await gateway.embed(["first"], model="jina-embeddings-v3")
            async with scraping(gateway, Path(folder)) as prometheus:
                await traffic(gateway, upstream)
                command = [
                    sys.executable,
                    ROOT / "grafana/render.py",
                    prometheus.url,
                    ROOT / "docs/dashboards",
                    *BOARDS,
                ]
                drawing = [*map(str, command), "--minutes", f"{SECONDS / 60:g}"]
                await asyncio.to_thread(subprocess.run, drawing, check=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
