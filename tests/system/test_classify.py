"""Classification on the real local model, and relayed, through `gateway serve`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fakes.running_gateway import MODEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

SENTENCES = {
    "The striker scored twice in the second half of the match.": "football",
    "Add two eggs and a cup of flour, then bake for half an hour.": "cooking",
    "The central bank raised interest rates to fight inflation.": "finance",
    "The telescope found water in the atmosphere of a distant planet.": "astronomy",
}
TOPICS = ["cooking", "astronomy", "finance", "football"]


async def classify(gateway: Gateway, texts: object, labels: object, key: str = "", **fields: Any) -> Answer:
    return await gateway.post("/v1/classify", {"model": MODEL, "input": texts, "labels": labels, **fields}, key)


async def test_obvious_sentences_get_the_obvious_label(local: Gateway) -> None:
    answer = await classify(local, list(SENTENCES), TOPICS)
    assert answer.status == 200, answer.body
    data = answer.json["data"]
    assert [entry["prediction"] for entry in data] == list(SENTENCES.values())
    for index, entry in enumerate(data):
        assert (entry["object"], entry["index"]) == ("classification", index)
        assert [prediction["label"] for prediction in entry["predictions"]] == TOPICS
        assert math.isclose(math.fsum(prediction["score"] for prediction in entry["predictions"]), 1.0)


async def test_usage_is_that_of_inputs_and_labels_and_labels_are_asked_once(local: Gateway) -> None:
    texts, labels = ["It rained all day in the valley.", "Snow fell overnight."], ["weather", "music of the night"]
    vectors = [(await local.embed(text)).json["usage"]["total_tokens"] for text in texts]
    first = await classify(local, texts, labels)
    assert first.cached == (2, 2)
    known = [(await local.embed(label)).json["usage"]["total_tokens"] for label in labels]
    assert first.json["usage"] == {"total_tokens": sum(vectors) + sum(known)}
    second = await classify(local, [*texts, "A choir sang until midnight."], labels)
    assert second.cached == (4, 1)
    again = await classify(local, texts, labels)
    assert again.cached == (4, 0)
    assert again.json == first.json


async def test_groups_are_chosen_from_apart(local: Gateway) -> None:
    labels = {"topic": TOPICS, "mood": ["a happy feeling", "a sad feeling"]}
    (entry,) = (await classify(local, "We wept when our football team lost the final.", labels)).json["data"]
    assert entry["prediction"] == {"topic": "football", "mood": "a sad feeling"}
    assert list(entry["predictions"]) == ["topic", "mood"]
    for name, words in labels.items():
        scores = [prediction["score"] for prediction in entry["predictions"][name]]
        assert len(scores) == len(words)
        assert math.isclose(math.fsum(scores), 1.0)


async def test_a_large_classification_is_streamed(local: Gateway) -> None:
    words = [f"word {number}" for number in range(256)]
    answer = await classify(local, words, words)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    data = answer.json["data"]
    assert [entry["prediction"] for entry in data] == words


async def test_failures_have_the_contracts_codes(local: Gateway) -> None:
    assert (await classify(local, "a", ["x", "x"])).failure == (400, "INPUT_INVALID_LABELS")
    assert (await classify(local, "a", [])).failure == (400, "INPUT_INVALID_LABELS")
    many = await classify(local, "a", [f"l{number}" for number in range(257)])
    assert many.failure == (400, "INPUT_LABEL_LIMIT_EXCEEDED")
    assert "257 labels provided, maximum 256 allowed" in many.json["detail"]
    assert (await classify(local, ["a"] * 513, ["x"])).status == 422
    unknown = await local.post("/v1/classify", {"classifier_id": "nobodys", "input": "a"})
    assert unknown.failure == (404, "RESOURCE_NOT_FOUND")
    assert (await local.post("/v1/classify", {"model": "nobody", "input": "a"})).failure[1] == "INPUT_MODEL_NOT_FOUND"


async def test_calls_have_limits_metrics_and_accounts_of_their_own(launch: Callable[..., Awaitable[Gateway]]) -> None:
    key = "key-of-a-tenant"
    tier = "{endpoints: {classify: {rpm: 2}}, labels: 3}"
    gateway = await launch(f"tiers: {{few: {tier}}}\ntenants: {{a: {{tier: few, keys: [{key}]}}}}", key=key)
    assert (await classify(gateway, "a", ["x", "y", "z", "w"])).failure == (400, "INPUT_LABEL_LIMIT_EXCEEDED")
    for _ in range(2):
        assert (await classify(gateway, "a", ["x", "y", "z"])).status == 200
    assert (await classify(gateway, "a", ["x", "y", "z"])).failure == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert (await gateway.embed("a")).status == 200
    metrics = (await gateway.get("/metrics")).body.decode()
    assert 'gateway_requests_total{code="OK",endpoint="classify",status="200"} 2.0' in metrics


async def test_a_jina_model_is_relayed(remote: Gateway, upstream: Upstream) -> None:
    body = {"model": "jina-embeddings-v3", "input": ["relay me", {"text": "and me"}], "labels": ["x", "y"]}
    answer = await remote.post("/v1/classify", body)
    assert (await remote.post("/v1/classify", body)).json == answer.json
    (call,) = upstream.calls
    assert call == body | {"input": ["relay me", "and me"]}
    assert answer.json["usage"] == {"total_tokens": 6}
