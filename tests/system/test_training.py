"""Trained classifiers through `gateway serve`: on the real local model, relayed, and with a worker that is killed."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import MODEL, PATIENCE, launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

V3 = "jina-embeddings-v3"
ALICE, BOB = "key-of-alice", "key-of-bob"
LEASE = 10
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
models: {{jina-embeddings-v3: {{serve: local}}}}
tenants:
  alice: {{tier: tier1, keys: [key-of-alice]}}
  bob: {{tier: tier1, keys: [key-of-bob]}}
limits: {{lease_seconds: {lease}}}
"""
GOOD = [
    "What a lovely evening, I enjoyed every minute.",
    "The staff were friendly and the food was delicious.",
    "Great value, I will happily come back.",
    "A wonderful film that made me smile.",
]
BAD = [
    "Terrible service, we waited for an hour.",
    "The room was dirty and it smelled awful.",
    "A waste of money, I want a refund.",
    "The worst film I have seen this year.",
]


def examples(**texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for label, listed in texts.items() for text in listed]


async def remove(gateway: Gateway, identifier: str) -> Answer:
    return await gateway.delete(f"/v1/classifiers/{identifier}")


async def labels(gateway: Gateway, identifier: str, *texts: str) -> list[str]:
    answer = await gateway.post("/v1/classify", {"classifier_id": identifier, "input": list(texts)})
    assert answer.status == 200, answer.body
    for entry in answer.json["data"]:
        assert math.isclose(math.fsum(share["score"] for share in entry["predictions"]), 1.0)
    return [entry["prediction"] for entry in answer.json["data"]]


async def test_train_classify_update_list_delete(local: Gateway) -> None:
    made = await local.post("/v1/train", {"model": MODEL, "input": examples(good=GOOD, bad=BAD), "access": "private"})
    assert made.status == 200, made.body
    identifier, usage = made.json["classifier_id"], made.json["usage"]["total_tokens"]
    vectors = await local.embed(GOOD + BAD, truncate=True)
    assert usage == 10 * vectors.json["usage"]["total_tokens"]
    assert vectors.cached == (8, 0), "a training leaves vectors that all may use"
    texts = ("We had a delightful stay.", "It was horrible and far too expensive.")
    assert await labels(local, identifier, *texts) == ["good", "bad"]
    recipe = examples(recipe=["Add two eggs and stir.", "Bake for half an hour at 180 degrees.", "Whisk the cream."])
    more = await local.post("/v1/train", {"classifier_id": identifier, "input": recipe})
    assert (more.status, more.json["num_samples"]) == (200, 3)
    assert await labels(local, identifier, *texts, "Mix flour and butter.") == ["good", "bad", "recipe"]
    listed = (await local.get("/v1/classifiers", Authorization=f"Bearer {local.key}")).json
    (entry,) = [entry for entry in listed if entry["classifier_id"] == identifier]
    assert (entry["labels"], entry["access"], entry["updated_number"]) == (["good", "bad", "recipe"], "private", 1)
    assert (await remove(local, identifier)).status == 200
    assert (await remove(local, identifier)).failure == (404, "RESOURCE_NOT_FOUND")


async def test_a_relayed_one_works_likewise(remote: Gateway, upstream: Upstream) -> None:
    made = await remote.post("/v1/train", {"model": V3, "input": examples(good=GOOD, bad=BAD)})
    identifier = made.json["classifier_id"]
    assert upstream.calls[-1]["model"] == V3
    assert await labels(remote, identifier, "a") == ["good"]
    more = {"classifier_id": identifier, "input": {"text": "a", "label": "new"}}
    assert (await remote.post("/v1/train", more)).status == 200
    listed = (await remote.get("/v1/classifiers", Authorization=f"Bearer {remote.key}")).json
    assert [entry["labels"] for entry in listed if entry["classifier_id"] == identifier] == [["good", "bad", "new"]]
    assert (await remove(remote, identifier)).status == 200
    assert identifier not in upstream.training.labels


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def two(upstream_url: str) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY, lease=LEASE)
    async with launched(config, workers=2, key=ALICE) as gateway:
        yield gateway


async def trained(gateway: Gateway, word: str, key: str = ALICE) -> str:
    body = {"model": V3, "input": [{"text": f"{word} one", "label": "one"}, {"text": f"{word} two", "label": "two"}]}
    made = await gateway.post("/v1/train", body, key)
    assert made.status == 200, made.body
    return str(made.json["classifier_id"])


async def begun(gateway: Gateway, upstream: Upstream, body: dict[str, Any]) -> tuple[asyncio.Event, asyncio.Task[Any]]:
    """A call whose vectors do not come before the event is set."""
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))

    async def ask() -> Answer | None:
        try:
            return await gateway.post("/v1/train", body)
        except aiohttp.ClientError:
            return None

    task = asyncio.create_task(ask())

    async def asked() -> bool:
        await asyncio.sleep(0)
        return not upstream.faults

    await until(asked)
    return gate, task


async def test_two_workers_do_not_train_the_same_at_once(two: Gateway, upstream: Upstream) -> None:
    identifier = await trained(two, "lock")
    update = {"classifier_id": identifier, "input": [{"text": "slow", "label": "three"}]}
    gate, first = await begun(two, upstream, update)
    known = {"classifier_id": identifier, "input": [{"text": "lock one", "label": "one"}]}
    for answer in await asyncio.gather(*(two.post("/v1/train", known) for _ in range(6))):
        assert answer.failure == (409, "CONFLICT_RESOURCE_BUSY")
    assert (await remove(two, identifier)).failure == (409, "CONFLICT_RESOURCE_BUSY")
    gate.set()
    done = await first
    assert done is not None
    assert done.status == 200
    assert (await two.post("/v1/train", known)).status == 200


async def test_a_trainer_that_is_killed_leaves_the_classifier_and_for_a_while_its_lock(
    two: Gateway, upstream: Upstream
) -> None:
    identifier = await trained(two, "kill")
    update = {"classifier_id": identifier, "input": [{"text": "never learnt", "label": "three"}]}
    gate, first = await begun(two, upstream, update)
    (trainer,) = [
        child.pid
        for child in two.children()
        if any(connection.laddr.port == upstream.caller for connection in child.net_connections("tcp"))
    ]
    os.kill(trainer, signal.SIGKILL)
    gate.set()
    assert await first is None
    assert await labels(two, identifier, "kill one", "kill two") == ["one", "two"]
    known = {"classifier_id": identifier, "input": [{"text": "kill one", "label": "one"}]}
    assert (await two.post("/v1/train", known)).failure == (409, "CONFLICT_RESOURCE_BUSY")
    async with asyncio.timeout(PATIENCE):
        await until(lambda: _answers(two, known), pause=0.2)
    listed = (await two.get("/v1/classifiers", Authorization=f"Bearer {ALICE}")).json
    (entry,) = [entry for entry in listed if entry["classifier_id"] == identifier]
    assert (entry["labels"], entry["updated_number"]) == (["one", "two"], 1)


async def _answers(gateway: Gateway, body: dict[str, Any]) -> bool:
    return (await gateway.post("/v1/train", body)).status == 200


async def test_a_stranger_uses_a_public_one_and_owns_nothing(two: Gateway, upstream: Upstream) -> None:
    assert not upstream.calls
    identifier = await trained(two, "mine")
    body = {"classifier_id": identifier, "input": "mine one"}
    assert (await two.post("/v1/classify", body, BOB)).json["data"][0]["prediction"] == "one"
    update = {"classifier_id": identifier, "input": [{"text": "mine one", "label": "two"}]}
    assert (await two.post("/v1/train", update, BOB)).failure == (404, "RESOURCE_NOT_FOUND")
    assert (await two.delete(f"/v1/classifiers/{identifier}", BOB)).failure == (404, "RESOURCE_NOT_FOUND")
    assert (await two.get("/v1/classifiers", Authorization=f"Bearer {BOB}")).json == []
