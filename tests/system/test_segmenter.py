"""E: the segmenter of a gateway that knows no upstream: with a key and without, GET and POST."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import pytest_asyncio
from fakes.running_gateway import launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

TOKENIZERS = {"cl100k_base": 3, "o200k_base": 3, "p50k_base": 5, "r50k_base": 5, "p50k_edit": 5, "gpt2": 5}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway() -> AsyncIterator[Gateway]:
    """Two workers on the shipped configuration: nothing but what the two commands of the README start."""
    async with launched(workers=2) as running:
        yield running


@pytest.mark.asyncio(loop_scope="session")
async def test_every_tokenizer_counts_offline(gateway: Gateway) -> None:
    for name, tokens in TOKENIZERS.items():
        answer = await gateway.get(
            f"/v1/segment?content={quote('naïve 🚀')}&tokenizer={name}", Authorization=f"Bearer {gateway.key}"
        )
        assert answer.status == 200, answer.body
        assert answer.json["num_tokens"] >= tokens
        assert answer.json["usage"] == {"tokens": 0}


@pytest.mark.asyncio(loop_scope="session")
async def test_a_long_text_is_cut_into_chunks(gateway: Gateway) -> None:
    text = "# Title\n\n" + "A sentence of some words. " * 2_000 + "\n\n- 🚀 end"
    answer = await gateway.post("/segment", {"content": text, "return_chunks": True, "return_tokens": True})
    reply = answer.json
    assert "".join(reply["chunks"]) == text
    assert (reply["chunks"][0], reply["chunks"][-1]) == ("# Title\n\n", "- 🚀 end")
    assert reply["num_chunks"] == len(reply["chunk_positions"]) == len(reply["tokens"])
    units = text.encode("utf-16-le")
    assert reply["chunk_positions"][-1] == [len(units) // 2 - 8, len(units) // 2]
    used = (await gateway.get("/v1/usage?by=model", Authorization=f"Bearer {gateway.key}")).json
    assert used["totals"]["requests"] >= 1
    assert (used["totals"]["tokens"], used["totals"]["cost_usd"]) == (0, "0")


@pytest.mark.asyncio(loop_scope="session")
async def test_without_a_key_twenty_a_minute_are_answered_by_all_workers_together(gateway: Gateway) -> None:
    answers = await asyncio.gather(*(gateway.get("/v1/segment?content=a") for _ in range(30)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 20 + [429] * 10
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.failure == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    with_key = await gateway.post("/v1/segment", {"content": "a"})
    assert with_key.status == 200


@pytest.mark.asyncio(loop_scope="session")
async def test_the_rest_of_the_api_still_wants_a_key(gateway: Gateway) -> None:
    answer = await gateway.post("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "a"}, Authorization="")
    assert answer.failure == (401, "AUTH_MISSING_API_KEY")
