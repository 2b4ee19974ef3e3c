"""Lists with bad inputs, many small calls at once, and a replica that dies, by the real process."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest_asyncio
from fakes.jina_upstream import KEY, tokens_of, vector
from fakes.running_gateway import Answer, launched
from fakes.two_upstreams import DIMENSIONS, Twins, twins

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

CLIENT = "jina_" + "c" * 60
CONFIG = """
backends:
  jina: {{dialect: jina, url: "{0}", key: {key}}}
  batching: {{dialect: jina, url: "{0}", key: {key}, batch: true, batch_window: 0.002}}
  one: {{dialect: jina, url: "{0}", key: {key}, billed: false, batch: false, hedge: false}}
  two: {{dialect: jina, url: "{1}", key: {key}, billed: false, batch: false, hedge: false}}
models:
  batched: {{backend: batching, dimensions: {dimensions}}}
  pair: {{backend: one, replicas: [{{backend: two}}], dimensions: {dimensions}}}
tiers: {{wide: {{rpm: null, tpm: null, concurrency: null}}}}
tenants: {{client: {{tier: wide, keys: [{client}]}}}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair() -> AsyncIterator[Twins]:
    async with twins() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(pair: Twins) -> AsyncIterator[Gateway]:
    config = CONFIG.format(*pair.urls, key=KEY, client=CLIENT, dimensions=DIMENSIONS)
    async with launched(config, key=CLIENT) as made:
        yield made


def is_right(answer: Answer, model: str, text: str) -> bool:
    """Whether its one vector has the direction of that text's own."""
    got = answer.json["data"][0]["embedding"]
    expected = vector([{"model": model}, text], DIMENSIONS)
    return bool(np.asarray(got) @ expected > 0.99 * np.linalg.norm(expected))


async def test_three_bad_inputs_of_a_hundred_are_named_and_no_others(gateway: Gateway, pair: Twins) -> None:
    pair.forget()
    upstream = pair.both[0]
    texts = [f"{'odd' if at in {7, 50, 99} else 'even'} {at}" for at in range(100)]
    upstream.bad = {texts[at] for at in (7, 50, 99)}
    answer = await gateway.embed(texts, model="jina-embeddings-v3")
    assert answer.failure == (422, "INPUT_INVALID")
    fields = [error["field"] for error in answer.json["errors"]]
    assert fields == [f"body -> jina-embeddings-v3 -> input -> {at}" for at in (7, 50, 99)]
    asked = Counter(entry for call in upstream.calls for entry in call["input"])
    assert len(upstream.calls) <= 1 + 36
    good = [text for text in texts if text.startswith("even")]
    upstream.calls.clear()
    again = await gateway.embed(good, model="jina-embeddings-v3")
    assert (again.status, again.cached, upstream.calls) == (200, (97, 0), [])
    assert set(asked) == set(texts)


async def test_a_thousand_small_calls_become_few(gateway: Gateway, pair: Twins) -> None:
    pair.forget()
    upstream = pair.both[0]
    upstream.seconds = 0.02
    texts = [f"text{' more' * (at % 7)} {at}" for at in range(1_000)]
    answers = await asyncio.gather(*[gateway.embed(text, model="batched") for text in texts])
    assert [answer.status for answer in answers] == [200] * 1_000
    assert all(is_right(answer, "batched", text) for answer, text in zip(answers, texts, strict=True))
    assert len(upstream.calls) <= 40
    assert sorted(upstream.inputs) == sorted(texts)
    shares = [answer.json["usage"]["total_tokens"] for answer in answers]
    assert sum(shares) == sum(tokens_of(text) for text in texts)
    assert shares[6] > shares[0] > 0


async def test_a_replica_that_dies_under_load_costs_no_client_an_error(gateway: Gateway, pair: Twins) -> None:
    pair.forget()
    for upstream in pair.both:
        upstream.seconds = 0.02  # so that it dies while it is asked
    names, answers = count(), list[tuple[str, Answer]]()

    async def client() -> None:
        while len(answers) < 600:
            text = f"under load {next(names)}"
            answers.append((text, await gateway.embed(text, model="pair")))

    async def killer() -> None:
        while len(answers) < 200 or not pair.running[0]:  # noqa: ASYNC110 - clients are what it waits for
            await asyncio.sleep(0)
        await pair.kill(0)

    await asyncio.gather(killer(), *[client() for _ in range(16)])
    assert {answer.status for _, answer in answers} == {200}
    assert all(is_right(answer, "pair", text) for text, answer in answers)
    first, second = pair.counts
    assert first > 50
    assert second > 400
    metrics = (await gateway.get("/metrics")).body.decode()
    assert re.search(r'gateway_upstream_calls_total{backend="one",.*outcome="reset"', metrics)
