"""Classifications through the whole pipeline: made here from cached vectors, or asked of the upstream as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.backends import ModelEntry
from gateway.config.schema import Bounds, Tenant, Tier
from gateway.endpoints.classify import Classify
from gateway.errors import Code, GatewayError
from gateway.ports import Amounts
from gateway.vocabulary import Directives, Facts

V3 = "jina-embeddings-v3"
HERE = {"models": {V3: ModelEntry(serve="local")}}
LABELS = ["good", "very bad"]


def here(**changes: Any) -> Gateway:
    """A gateway that makes the model's classifications itself."""
    return Gateway(configured(**(HERE | changes)))


def sent(*texts: object, labels: Any = None, **fields: Any) -> bytes:
    return orjson.dumps({"model": V3, "input": list(texts), "labels": labels or LABELS, **fields})


async def classified(gateway: Gateway, *texts: object, **fields: Any) -> dict[str, Any]:
    reply, _ = await gateway.ask("classify", sent(*texts, **fields))
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


async def refused(gateway: Gateway, body: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await gateway.ask("classify", body)
    return raised.value


async def test_inputs_and_labels_are_embedded_for_the_task_and_cost_what_both_cost() -> None:
    gateway = here()
    content = await classified(gateway, "one two", "three")
    (call,) = gateway.upstream.calls
    assert (call["input"], call["task"]) == (["one two", "three", *LABELS], "classification")
    assert content["usage"] == {"total_tokens": 2 + 1 + 1 + 2}
    assert [[entry["label"] for entry in row["predictions"]] for row in content["data"]] == [LABELS, LABELS]
    assert gateway.used("search") == Amounts(requests=1, tokens=6, slots=0)


async def test_known_labels_are_not_asked_again_and_equal_texts_get_equal_scores() -> None:
    gateway = here()
    first = await classified(gateway, "a")
    reply, facts = await gateway.ask("classify", sent("b", "a"))
    assert gateway.upstream.calls[-1]["input"] == ["b"]
    assert (facts.hits, facts.misses, facts.items) == (3, 1, 2)
    data = orjson.loads(reply.body)["data"]
    assert data[1]["predictions"] == first["data"][0]["predictions"]
    again = await classified(gateway, "b", "a")
    assert again == orjson.loads(reply.body)
    assert len(gateway.upstream.calls) == 2


async def test_answers_are_shared_with_embeddings_of_the_same_task() -> None:
    gateway = here()
    await classified(gateway, "a")
    asked = {"model": V3, "input": ["a", "good"], "task": "classification"}
    _, facts = await gateway.ask("embeddings", orjson.dumps(asked))
    assert (facts.hits, facts.misses) == (2, 0)
    _, facts = await gateway.ask("embeddings", orjson.dumps(asked | {"input": "c"}))
    _, facts = await gateway.ask("classify", sent("c"))
    assert (facts.hits, facts.misses) == (3, 0)
    _, facts = await gateway.ask("embeddings", orjson.dumps(asked | {"task": "text-matching"}))
    assert (facts.hits, facts.misses) == (0, 2)


async def test_a_label_in_two_groups_or_that_is_an_input_is_asked_once() -> None:
    gateway = here()
    content = await classified(gateway, "good", labels={"g": ["good", "bad"], "h": ["bad"]})
    assert gateway.upstream.calls[-1]["input"] == ["good", "bad"]
    assert content["usage"] == {"total_tokens": 4}
    (row,) = content["data"]
    assert row["prediction"] == {"g": "good", "h": "bad"}


async def test_calls_count_in_the_endpoints_own_limits() -> None:
    tiers = {"small": Tier(endpoints={"classify": Bounds(rpm=1), "embeddings": Bounds(rpm=1)})}
    for gateway in (here(tiers=tiers), Gateway(configured(tiers=tiers))):
        await classified(gateway, "a")
        error = await refused(gateway, sent("b"))
        assert error.code is Code.RATE_REQUEST_LIMIT_EXCEEDED
        await gateway.ask("embeddings", orjson.dumps({"model": V3, "input": "a"}))


@pytest.mark.parametrize("models", [HERE, {}])
async def test_a_plan_has_a_limit_of_labels_to_choose_between(models: dict[str, Any]) -> None:
    tiers = {"small": Tier(labels=2), "large": Tier()}
    gateway = Gateway(configured(tiers=tiers, **models))
    error = await refused(gateway, sent("a", labels=["x", "y", "z"]))
    assert error.code is Code.INPUT_LABEL_LIMIT_EXCEEDED
    assert error.message == "Label limit exceeded: 3 labels provided, maximum 2 allowed for your plan"
    assert (await refused(gateway, sent("a", labels={"g": ["x"], "h": list("xyz")}))).code is error.code
    await classified(gateway, "a", labels={"g": ["x", "y"], "h": ["x", "y"]})
    assert len(gateway.upstream.calls) == 1

    tenants = {"search": Tenant(tier="large", keys=(SEARCH_KEY,))}
    gateway = Gateway(configured(tiers=tiers, tenants=tenants, **(HERE | models)))
    words = [f"label{at}" for at in range(257)]
    assert "257 labels provided, maximum 256" in (await refused(gateway, sent("a", labels=words))).message
    await classified(gateway, "a", labels=words[:256])


async def test_a_label_that_is_refused_is_named_as_one() -> None:
    gateway = here()
    gateway.upstream.bad.add("very bad")
    error = await refused(gateway, sent("a", "b"))
    assert error.message == "Label 1 was not accepted: Validation error: an input is bad"
    assert [entry.field for entry in error.errors] == [f"body -> {V3} -> labels -> 1"]


async def test_a_partial_reply_leaves_out_inputs_but_never_labels() -> None:
    gateway = here(tiers={"small": Tier()})
    gateway.upstream.bad.add("bad")

    async def partly(body: bytes) -> dict[str, Any]:
        call = replace(gateway.call(body, SEARCH_KEY, "192.0.2.1", Directives()), partial=True)
        reply = await gateway.pipeline.serve(Classify(), call, Facts("classify", "request-1"))
        content: dict[str, Any] = orjson.loads(reply.body)
        return content

    content = await partly(sent("a", "bad", "b"))
    assert [(row["index"], len(row["predictions"])) for row in content["data"]] == [(0, 2), (2, 2)]
    assert [error["index"] for error in content["errors"]] == [1]
    full = await classified(gateway, "a", "b")
    assert [row["predictions"] for row in content["data"]] == [row["predictions"] for row in full["data"]]
    for body in (sent("a", labels=["x", "bad"]), sent("bad", "a", labels=["x", "bad"]), sent("bad", labels=["x"])):
        with pytest.raises(GatewayError, match="was not accepted"):
            await partly(body)


async def test_a_jina_model_is_classified_by_the_upstream_unless_told_otherwise() -> None:
    gateway = Gateway()
    body = sent("one two", {"text": "b"}, labels={"g": ["x", "y"], "h": ["z"]})
    reply, facts = await gateway.ask("classify", body)
    (call,) = gateway.upstream.calls
    assert call == {"model": V3, "input": ["one two", "b"], "labels": {"g": ["x", "y"], "h": ["z"]}}
    content = orjson.loads(reply.body)
    assert content["usage"] == {"total_tokens": 6}
    assert [row["prediction"] for row in content["data"]] == [{"g": "x", "h": "z"}] * 2
    assert (facts.items, facts.endpoint) == (2, "classify")
    assert gateway.used("search") == Amounts(requests=1, tokens=6, slots=0)


async def test_a_relayed_answer_is_kept_with_its_inputs_and_labels() -> None:
    gateway = Gateway()
    first = await classified(gateway, "a", "b")
    assert await classified(gateway, "a", "b") == first
    assert len(gateway.upstream.calls) == 1
    for other in (
        {"labels": ["very bad", "good"]},
        {"labels": ["good", "very bad", "b"]},
        {"labels": {"g": LABELS}},
        {"labels": {"h": LABELS}},
        {"labels": {"g": ["good"], "h": ["very bad"]}},
    ):
        await classified(gateway, "a", "b", **other)
    await classified(gateway, "b", "a")
    await classified(gateway, "a", labels=["b", *LABELS])
    assert len(gateway.upstream.calls) == 8


async def test_what_the_upstream_says_of_labels_keeps_its_code() -> None:
    gateway = Gateway()
    body = orjson.dumps({"detail": "Labels overlap", "code": "INPUT_INVALID_LABELS", "request_id": "0"})
    gateway.upstream.faults.append(Fault(status=400, body=body))
    error = await refused(gateway, sent("a", "b"))
    assert (error.code, error.message) == (Code.INPUT_INVALID_LABELS, "Labels overlap")


async def test_relayed_and_made_here_never_mix() -> None:
    gateway = Gateway()
    relayed = await classified(gateway, "a")
    local = here()
    local.answers.entries.update(gateway.answers.entries)
    assert await classified(local, "a") != relayed
    assert len(local.upstream.calls) == 1
