"""E: a gateway of two workers on a Redis Cluster, and its commands beside it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched, until

from gateway.stores.redis.client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
TEXTS = [f"text {number}" for number in range(60)]
CONFIG = """
store: {{url: '{store}', cluster: true}}
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", limits: {{rpm: 500, concurrency: 20}}, batch: false}}}}
tiers: {{ten: {{rpm: 10}}}}
cache: {{memory: 0}}
tenants:
  burst: {{tier: ten, keys: [key-of-burst]}}
  paying: {{tier: tier2, keys: [key-of-paying], balance: {{starting_tokens: 1000000}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream_url: str, cluster_url: str) -> AsyncIterator[Gateway]:
    client = connect(cluster_url, 5.0, cluster=True)
    await client.flushall()
    await client.aclose()
    config = CONFIG.format(store=cluster_url, url=upstream_url, key=KEY)
    async with launched(config, workers=2, key="key-of-paying") as running:
        yield running


async def command(gateway: Gateway, *arguments: str) -> str:
    """What `gateway …` prints; it must succeed."""
    config = ["--config", str(gateway.data_dir.parent / "config.yaml"), "--data-dir", str(gateway.data_dir)]
    argv, env = [*COMMAND, *arguments, *config], clean_environment()
    done = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, timeout=PATIENCE, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_exactly_the_limit_is_admitted_over_both_workers(gateway: Gateway, upstream: Upstream) -> None:
    answers = await asyncio.gather(*(gateway.embed(f"burst {n}", "key-of-burst", MODEL) for n in range(40)))
    assert Counter(answer.status for answer in answers) == {200: 10, 429: 30}
    assert len(upstream.calls) == 10


async def test_what_is_asked_once_is_stored_on_all_nodes_counted_and_taken_out(
    gateway: Gateway, upstream: Upstream
) -> None:
    await command(gateway, "cache", "purge", "--all")
    first, again = [await gateway.embed(TEXTS, model=MODEL) for _ in range(2)]
    assert (first.cached, again.cached) == ((0, len(TEXTS)), (len(TEXTS), 0))
    assert first.json["data"] == again.json["data"]
    assert len(upstream.calls) == 1

    async def counted() -> bool:
        rows = json.loads(await command(gateway, "usage", "--tenant", "paying", "--format", "json"))
        return [row["requests"] for row in rows["rows"]] == [2]

    await until(counted)
    assert f"{MODEL}: {len(TEXTS)} entries" in await command(gateway, "cache", "stats")
    assert "500" in await command(gateway, "balance", "top-up", "--tenant", "paying", "--tokens", "500")
    await command(gateway, "cache", "purge", "--all")
    assert "entries  0" in await command(gateway, "cache", "stats")


async def test_a_key_made_at_run_time_is_known_to_both_workers(gateway: Gateway, upstream: Upstream) -> None:
    del upstream
    key = (await command(gateway, "keys", "create", "--tenant", "paying")).strip()

    async def known() -> bool:
        answers = await asyncio.gather(*(gateway.embed("a", key, MODEL) for _ in range(8)))
        return {answer.status for answer in answers} == {200}

    await until(known)
    assert (await gateway.get("/ready")).status == 200


async def test_the_cluster_refused_nothing(gateway: Gateway, upstream: Upstream) -> None:
    """After all that: a command over several slots would have counted as a failure of the store."""
    assert (await gateway.embed(["a", "b", "c"], model=MODEL)).status == 200
    said = (await gateway.get("/metrics")).body.decode()
    assert "gateway_store_failures_total{" not in said
    assert "gateway_limiter_degraded_total{" not in said
    del upstream
