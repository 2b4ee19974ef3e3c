"""The gateway in front of a real Infinity, whose debug engine gives [n] * 13 for a text of n characters."""

from __future__ import annotations

import asyncio
import base64
import math
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from fakes.running_gateway import Gateway, launched
from fakes.running_infinity import MODEL, running_infinity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

WIDTH = 13
KEY = "infinity-test-key"
CONFIG = """
tenants: {{search: {{tier: tier2, keys: [%s]}}}}
backends:
  infinity: {{dialect: infinity, url: "{url}", max_inputs: 3}}
  unsplit: {{dialect: infinity, url: "{url}", max_inputs: 4000}}
models:
  debug: {{backend: infinity, backend_model: %s, dimensions: 13}}
  unsplit: {{backend: unsplit, backend_model: %s, dimensions: 13}}
  another: {{backend: infinity, backend_model: another, dimensions: 13}}
  ranker: {{backend: infinity, backend_model: %s, rerank: true}}
""" % (KEY, MODEL, MODEL, MODEL)  # noqa: UP031 - the other braces are YAML's, filled in later


@pytest.fixture(scope="module")
def infinity_url() -> Iterator[str]:
    with running_infinity() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(infinity_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=infinity_url), key=KEY) as running:
        yield running


async def calls_received(url: str) -> dict[str, float]:
    """Embeddings calls that Infinity itself has counted, by class of status."""
    async with aiohttp.ClientSession() as http, http.get(url.removesuffix("/v1") + "/metrics") as reply:
        lines = (await reply.text()).splitlines()
    found = [line for line in lines if line.startswith('http_requests_total{handler="/v1/embeddings"')]
    return {line.partition('status="')[2][:3]: float(line.rpartition(" ")[2]) for line in found}


def vectors(body: dict[str, Any]) -> list[list[float]]:
    assert [entry["index"] for entry in body["data"]] == list(range(len(body["data"])))
    return [entry["embedding"] for entry in body["data"]]


async def test_a_list_over_the_limit_is_split_and_comes_back_in_order(gateway: Gateway, infinity_url: str) -> None:
    before = await calls_received(infinity_url)
    texts = ["x" * length for length in (7, 1, 12, 3, 5, 2, 11, 4, 9, 6)]
    answer = await gateway.embed(texts, model="debug", normalized=False)
    assert answer.status == 200
    assert vectors(answer.json) == [[float(len(text))] * WIDTH for text in texts]
    after = await calls_received(infinity_url)
    assert after["2xx"] - before.get("2xx", 0) == 4
    assert after.get("4xx") == before.get("4xx")


async def test_vectors_are_normalised_here_since_the_server_does_not(gateway: Gateway) -> None:
    answer = await gateway.embed(["abcd", "é"], model="debug")
    for row in vectors(answer.json):
        assert row == pytest.approx([1 / math.sqrt(WIDTH)] * WIDTH)
    shorter = await gateway.embed(["abcd"], model="debug", dimensions=4)
    assert vectors(shorter.json) == [pytest.approx([0.5] * 4)]


async def test_base64_holds_the_same_values(gateway: Gateway) -> None:
    coded = await gateway.embed(["hello"], model="debug", embedding_type="base64", normalized=False)
    raw = base64.b64decode(coded.json["data"][0]["embedding"])
    assert struct.unpack(f"<{WIDTH}f", raw) == (5.0,) * WIDTH


async def test_usage_is_not_the_characters_that_infinity_reports(gateway: Gateway, infinity_url: str) -> None:
    texts = ["one text of forty characters, or almost.", "another of them, and neither was stored."]
    characters = sum(map(len, texts))
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{infinity_url}/embeddings", json={"model": MODEL, "input": texts}) as reply,
    ):
        assert (await reply.json())["usage"]["total_tokens"] == characters
    answer = await gateway.embed(texts, model="debug")
    assert characters / 5 < answer.json["usage"]["total_tokens"] < characters / 3


async def test_a_repeated_list_costs_no_call(gateway: Gateway, infinity_url: str) -> None:
    texts = ["first of two", "second of the two"]
    first = await gateway.embed(texts, model="debug")
    before = await calls_received(infinity_url)
    second = await gateway.embed(list(reversed(texts)), model="debug")
    assert second.cached == (2, 0)
    assert vectors(second.json) == list(reversed(vectors(first.json)))
    assert await calls_received(infinity_url) == before


async def test_what_infinity_refuses_comes_in_the_contracts_shape(gateway: Gateway) -> None:
    # More than one call may carry: what was refused as a whole is sent in halves.
    halved = await gateway.embed([str(number) for number in range(2049)], model="unsplit")
    assert (halved.status, len(halved.json["data"])) == (200, 2049)

    # A server of one model answers whatever the name was; that answer is not believed.
    other = await gateway.embed(["a"], model="another")
    assert other.failure == (503, "SERVICE_UNAVAILABLE")

    unable = await gateway.rerank("q", ["a", "b"], model="ranker")
    assert unable.failure[1] == "INPUT_MODEL_NOT_FOUND"


async def test_many_calls_at_once_get_their_own_vectors(gateway: Gateway) -> None:
    lists = [["y" * (start + step) for step in range(7)] for start in range(20, 60)]
    answers = await asyncio.gather(*(gateway.embed(texts, model="debug", normalized=False) for texts in lists))
    for texts, answer in zip(lists, answers, strict=True):
        assert answer.status == 200
        lengths = [row[0] for row in vectors(answer.json)]
        assert lengths == [float(len(text)) for text in texts]
        assert all(later - earlier == 1 for earlier, later in pairwise(lengths))
