"""`gateway cache …` on a running gateway: what two tenants asked is counted, moved and removed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

SEARCH, SHOP = "jina_" + "s" * 60, "jina_" + "h" * 60
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tiers: {{open: {{}}}}
tenants:
  search: {{tier: open, org: one, keys: ["{search}"]}}
  shop: {{tier: open, org: two, keys: ["{shop}"]}}
cache: {{memory: 0}}
"""
MODEL = "jina-embeddings-v3"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream_url: str) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY, search=SEARCH, shop=SHOP)
    async with launched(config, key=SEARCH) as running:
        yield running


async def cache(gateway: Gateway, *arguments: str, **env: str) -> str:
    """What `gateway cache …` prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "cache",
        *arguments,
        *(() if arguments[0] == "warm" else ("--data-dir", str(gateway.data_dir))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(env),
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_life_of_a_cache(gateway: Gateway, upstream: Upstream, tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(600)]
    for start in range(0, len(texts), 100):
        await gateway.embed(texts[start : start + 100], model=MODEL)
        await gateway.embed(texts[start : start + 100], model=MODEL)
    await gateway.embed(["of the shop"], key=SHOP, model=MODEL)

    stats = await cache(gateway, "stats")
    assert "entries  601\n" in stats
    assert f"{MODEL}: 601 entries" in stats

    whatif = await cache(gateway, "whatif", "--sizes", "1000")
    recorded = int(whatif.split()[0])
    assert recorded, "one address in 256 of 1,201 accesses"
    assert whatif.splitlines()[1].split() == ["ttl", "unlimited", "1,000"]

    exported = tmp_path / "cache.bin"
    await cache(gateway, "export", str(exported))
    assert (await cache(gateway, "purge", "--tenant", "search", "--model", MODEL)).startswith("removed 600;")
    assert (await gateway.embed(["of the shop"], key=SHOP, model=MODEL)).cached == (1, 0)
    assert (await cache(gateway, "import", str(exported))).startswith("imported 600 of 601;")
    paid = len(upstream.calls)
    assert (await gateway.embed(texts[:100], model=MODEL)).cached == (100, 0)

    lines = [{"model": MODEL, "input": texts[:50]}, {"model": MODEL, "input": ["warm", "warmer"]}]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    warmed = await cache(gateway, "warm", str(tmp_path / "lines.jsonl"), "--url", gateway.url, GATEWAY_KEY=SEARCH)
    assert warmed == "inputs stored already 50, asked 2; lines failed 0\n"
    assert len(upstream.calls) == paid + 1
    assert (await gateway.embed(["warmer"], model=MODEL)).cached == (1, 0)
