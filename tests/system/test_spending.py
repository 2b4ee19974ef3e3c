"""Budgets, balances and closer limits on the real gateway, over two workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest_asyncio
from fakes.jina_upstream import KEY
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL, RERANKER = "jina-embeddings-v3", "jina-reranker-v2-base-multilingual"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tiers:
  open: {{}}
  narrow:
    each_key: {{rpm: 2}}
    endpoints: {{rerank: {{rpm: 1}}}}
  watched: {{rpm: 1, shadow: true}}
  given: {{balance: {{starting_tokens: 30}}}}
tenants:
  spender: {{tier: open, keys: [key-of-spender], balance: {{starting_tokens: 30}}}}
  narrow: {{tier: narrow, keys: [key-of-narrow-1, key-of-narrow-2]}}
  watched: {{tier: watched, keys: [key-of-watched]}}
limits: {{models: {{jina-embeddings-v4: {{rpm: 3}}}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), workers=2, key="unused") as running:
        yield running


async def command(gateway: Gateway, *arguments: str) -> str:
    options = ("--config", str(gateway.data_dir.parent / "config.yaml"), "--data-dir", str(gateway.data_dir))
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, *options, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    return out.decode()


async def test_a_balance_is_never_overdrawn_and_goes_on_after_a_top_up(gateway: Gateway, upstream: Upstream) -> None:
    """Each text may cost 12 tokens (bytes + 2) and costs 5."""
    texts = [f"a b c d {letter}" for letter in "efghijklmnopqrst"]
    answers = await asyncio.gather(*(gateway.embed(text, "key-of-spender", MODEL) for text in texts))
    assert {answer.status for answer in answers} == {200, 403}
    paid = sum(5 for answer in answers if answer.status == 200)
    assert 10 <= paid <= 30
    assert paid == 5 * len(upstream.calls)
    [refused, *_] = [answer for answer in answers if answer.status == 403]
    assert refused.failure == (403, "AUTHZ_INSUFFICIENT_BALANCE")
    await command(gateway, "balance", "top-up", "--tenant", "spender", "--tokens", "1000")

    async def served() -> bool:
        return (await gateway.embed("after the top-up", "key-of-spender", MODEL)).status == 200

    await until(served)
    assert "used" in await command(gateway, "balance", "show", "--tenant", "spender")


async def test_each_key_and_each_endpoint_has_its_own_limit(gateway: Gateway, upstream: Upstream) -> None:
    del upstream
    first = [(await gateway.embed("x", "key-of-narrow-1", MODEL)).status for _ in range(3)]
    assert first == [200, 200, 429]
    assert (await gateway.rerank("q", ["d"], "key-of-narrow-2", RERANKER)).status == 200
    assert (await gateway.rerank("q", ["d"], "key-of-narrow-2", RERANKER)).status == 429
    assert (await gateway.embed("x", "key-of-narrow-2", MODEL)).status == 200, "the refused one was not counted"


async def test_a_models_limit_is_everybodys(gateway: Gateway, upstream: Upstream) -> None:
    del upstream
    answers = [await gateway.embed("x", "key-of-watched", "jina-embeddings-v4") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]


async def test_a_shadow_counts_and_does_not_refuse(gateway: Gateway, upstream: Upstream) -> None:
    del upstream
    for _ in range(3):
        assert (await gateway.embed("x", "key-of-watched", MODEL)).status == 200

    async def counted() -> bool:
        return b'gateway_shadow_rejections_total{scope="tenant"}' in (await gateway.get("/metrics")).body

    await until(counted)
