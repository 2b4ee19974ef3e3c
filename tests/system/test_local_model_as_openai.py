"""The local model's server as any OpenAI-compatible one, beside its native routes: two dialects, one vector space."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from fakes.running_gateway import MODEL, PATIENCE, Gateway, clean_environment, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

KEY = "openai-test-key"
CONFIG = """
tenants: {search: {tier: tier2, keys: [%s]}}
backends:
  native: {dialect: tei, url: "http://127.0.0.1:%d"}
  compatible: {dialect: openai, url: "http://127.0.0.1:%d/v1", max_inputs: 32}
  unsplit: {dialect: openai, url: "http://127.0.0.1:%d"}
models:
  native: {backend: native, backend_model: %s, dimensions: 384, rerank: true}
  compatible: {backend: compatible, backend_model: %s, dimensions: 384}
  unsplit: {backend: unsplit, backend_model: %s, dimensions: 384}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def model_port(unused_tcp_port_factory: object) -> AsyncIterator[int]:
    assert callable(unused_tcp_port_factory)
    port: int = unused_tcp_port_factory()
    command = [sys.executable, "-m", "gateway.processes.local_model", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, env=clean_environment())
    try:

        async def serving() -> bool:
            assert process.returncode is None
            try:
                async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/health") as reply:
                    return reply.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await until(serving)
        yield port
    finally:
        process.kill()
        await asyncio.wait_for(process.wait(), PATIENCE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(model_port: int) -> AsyncIterator[Gateway]:
    config = CONFIG % (KEY, model_port, model_port, model_port, MODEL, MODEL, MODEL)
    async with launched(config, key=KEY) as running:
        yield running


async def test_both_dialects_give_the_same_vectors_and_usage(gateway: Gateway) -> None:
    texts = [f"Sentence number {number}, with {number} words more." for number in range(70)]
    compatible = await gateway.embed(texts, model="compatible")
    native = await gateway.embed(texts, model="native")
    assert compatible.status == native.status == 200
    for one, other in zip(compatible.json["data"], native.json["data"], strict=True):
        assert one["index"] == other["index"]
        assert one["embedding"] == pytest.approx(other["embedding"], abs=1e-6)
    assert compatible.json["usage"] == native.json["usage"]


async def test_what_the_server_refuses_is_said_in_the_contracts_shape(gateway: Gateway) -> None:
    # More than one call may carry: what was refused as a whole is sent in halves.
    halved = await gateway.embed([f"text {number}" for number in range(33)], model="unsplit")
    assert (halved.status, len(halved.json["data"])) == (200, 33)
    unable = await gateway.rerank("q", ["a"], model="compatible")
    assert unable.failure[1] == "INPUT_MODEL_NOT_FOUND"
