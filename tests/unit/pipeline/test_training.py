"""Trained classifiers through the whole pipeline, learnt here and relayed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured
from fakes.training import (
    BIG,
    EXAMPLES,
    HERE,
    MAKERS,
    V3,
    WORDS,
    asked,
    examples,
    here,
    refused,
    relaying,
    trained,
)

from gateway.config.schema import Bounds, Tier
from gateway.endpoints import ENDPOINTS
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Directives, Facts


async def test_what_was_learnt_is_told_apart() -> None:
    gateway = here()
    made = await asked(gateway, "train", {"model": V3, "input": examples()})
    assert made == {"classifier_id": made["classifier_id"], "num_samples": 4, "usage": {"total_tokens": WORDS * 10}}
    found = await asked(
        gateway, "classify", {"classifier_id": made["classifier_id"], "input": [text for text, _ in EXAMPLES]}
    )
    assert [entry["prediction"] for entry in found["data"]] == [label for _, label in EXAMPLES]
    for index, entry in enumerate(found["data"]):
        assert (entry["object"], entry["index"]) == ("classification", index)
        assert [share["label"] for share in entry["predictions"]] == ["yes", "no"]
        assert sum(share["score"] for share in entry["predictions"]) == pytest.approx(1.0)
        assert entry["score"] == max(share["score"] for share in entry["predictions"])
    assert found["usage"] == {"total_tokens": WORDS}


async def test_a_training_is_limited_by_its_iterations_and_costs_what_the_backend_counts() -> None:
    gateway = here()
    await asked(gateway, "train", {"model": V3, "input": examples(), "num_iters": 7})
    assert gateway.used("search").tokens == WORDS * 7
    facts = gateway.counted[-1]
    assert (facts.endpoint, facts.reported_tokens, facts.upstream_tokens, facts.paid_tokens) == (
        "train",
        WORDS * 7,
        WORDS,
        WORDS,
    )
    (call,) = gateway.upstream.calls
    assert (call["input"], call["task"]) == ([text for text, _ in EXAMPLES], "classification")


async def test_known_examples_are_not_asked_again() -> None:
    gateway = here()
    identifier = await trained(gateway)
    reply, facts = await gateway.ask(
        "classify", orjson.dumps({"classifier_id": identifier, "input": ["so bad", "new"]})
    )
    assert (reply.hits, reply.misses) == (1, 1)
    assert gateway.upstream.calls[-1]["input"] == ["new"]
    assert facts.endpoint == "classify_few_shot"


@pytest.mark.parametrize("make", MAKERS)
async def test_too_many_tokens_are_refused_before_anything_is_asked(make: Any) -> None:
    gateway = make(tiers={"small": Tier(rpm=10, tpm=100, concurrency=2)})
    error = await refused(gateway, "train", {"model": V3, "input": examples(), "num_iters": 100})
    assert error.code is Code.RATE_TOKEN_LIMIT_EXCEEDED
    assert not gateway.upstream.calls
    assert not gateway.classifiers.records


@pytest.mark.parametrize("make", MAKERS)
async def test_an_update_may_bring_new_labels(make: Any) -> None:
    gateway = make()
    identifier = await trained(gateway)
    more = {"classifier_id": identifier, "input": examples(("neither", "maybe"))}
    content = await asked(gateway, "train", more)
    assert content == {"classifier_id": identifier, "num_samples": 1, "usage": {"total_tokens": 10}}
    one = {"classifier_id": identifier, "input": examples(("neither nor", "maybe"))[0], "num_iters": 1}
    assert (await asked(gateway, "train", one))["usage"] == {"total_tokens": 2}
    (kept,) = await gateway.classifiers.owned("search")
    assert (kept.labels, kept.version, kept.trainings) == (("yes", "no", "maybe"), 3, 3)
    found = await asked(gateway, "classify", {"classifier_id": identifier, "input": "neither"})
    assert [share["label"] for share in found["data"][0]["predictions"]] == ["yes", "no", "maybe"]
    assert not gateway.classifiers.locks


async def test_a_relayed_training_is_the_upstreams_and_its_tokens_are() -> None:
    gateway = relaying()
    identifier = await trained(gateway, access="private", num_iters=3)
    assert gateway.upstream.calls == [{"model": V3, "input": examples(), "num_iters": 3, "access": "private"}]
    assert gateway.used("search").tokens == WORDS * 3
    facts = gateway.counted[-1]
    assert (facts.reported_tokens, facts.upstream_tokens) == (WORDS * 3, WORDS * 3)
    kept = await gateway.classifiers.find(identifier)
    assert kept is not None
    assert (kept.tenant, kept.backend, kept.access, kept.labels) == ("search", "jina", "private", ("yes", "no"))
    found = await asked(gateway, "classify", {"classifier_id": identifier, "input": ["a b", "c"]})
    assert gateway.upstream.calls[-1] == {"classifier_id": identifier, "input": ["a b", "c"]}
    assert [entry["prediction"] for entry in found["data"]] == ["yes", "yes"]
    assert found["usage"] == {"total_tokens": 3}


@pytest.mark.parametrize("make", MAKERS)
async def test_a_private_one_is_its_owners_and_a_public_one_everybodys_to_use(make: Any) -> None:
    gateway = make()
    private, public = await trained(gateway, access="private"), await trained(gateway)
    body = {"classifier_id": private, "input": "a"}
    assert (await refused(gateway, "classify", body, OTHER_KEY)).code is Code.RESOURCE_NOT_FOUND
    assert (await asked(gateway, "classify", body | {"classifier_id": public}, OTHER_KEY))["data"]
    assert gateway.used("other").requests == 1, "on the user's own quota"
    for identifier in (private, public):
        more = {"classifier_id": identifier, "input": examples()}
        error = await refused(gateway, "train", more, OTHER_KEY)
        assert (error.code, error.message) == (
            Code.RESOURCE_NOT_FOUND,
            f"Classifier '{identifier}' not found or access denied",
        )
    error = await refused(gateway, "classify", {"classifier_id": "nobodys", "input": "a"})
    assert error.message == "Classifier 'nobodys' not found or access denied"
    await gateway.tasks.drain(1.0)
    uses = {kept.id: kept.uses for kept in await gateway.classifiers.owned("search")}
    assert uses == {private: 0, public: 1}


@pytest.mark.parametrize("make", MAKERS)
async def test_a_tenant_has_no_more_than_its_plan_allows(make: Any) -> None:
    gateway = make(tiers={"small": Tier(tpm=100_000, classifiers=2, classifier_labels=3)})
    for _ in range(2):
        await trained(gateway)
    calls = len(gateway.upstream.calls)
    error = await refused(gateway, "train", {"model": V3, "input": examples()})
    assert error.code is Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED
    assert len(gateway.upstream.calls) == calls
    assert await trained(gateway, OTHER_KEY)
    many = examples(*((str(at), f"label {at}") for at in range(4)))
    error = await refused(gateway, "train", {"model": V3, "input": many}, OTHER_KEY)
    assert error.code is Code.INPUT_LABEL_LIMIT_EXCEEDED
    identifier = (await gateway.classifiers.owned("other"))[0].id
    update = {"classifier_id": identifier, "input": examples(("a", "3"), ("b", "4"))}
    assert (await refused(gateway, "train", update, OTHER_KEY)).code is Code.INPUT_LABEL_LIMIT_EXCEEDED


async def test_a_partial_training_is_none_but_a_partial_classification_is() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gateway.upstream.bad.add("bad one")
    with pytest.raises(GatewayError):
        await partially(
            gateway, "train", {"classifier_id": identifier, "input": examples(("a", "yes"), ("bad one", "no"))}
        )
    found = await partially(gateway, "classify", {"classifier_id": identifier, "input": ["a", "bad one", "so bad"]})
    assert [entry["index"] for entry in found["data"]] == [0, 2]
    assert [entry["index"] for entry in found["errors"]] == [1]


async def test_nothing_of_the_examples_is_kept() -> None:
    gateway = here()
    secret = "zebra crossing 4711"
    body = {"model": V3, "input": examples((secret, "yes"), ("so bad", "no"))}
    identifier = (await asked(gateway, "train", body))["classifier_id"]
    kept, weights = gateway.classifiers.records[identifier]
    for word in (secret, *secret.split()):
        assert word not in repr(kept)
        assert word.encode() not in weights
    again = Gateway(configured(**(HERE | BIG)))
    more = {"model": V3, "input": examples((secret, "yes"), ("so bad", "no"), (secret, "yes"))}
    other = (await asked(again, "train", more))["classifier_id"]
    assert len(again.classifiers.records[other][1]) == len(weights), "its size tells nothing of their number"


async def test_few_shot_calls_have_their_own_limit_else_that_of_all_classifications() -> None:
    bounds = {"classify": Bounds(rpm=1)}
    for endpoints, passed in ((bounds, 1), (bounds | {"classify_few_shot": Bounds(rpm=2)}, 2)):
        gateway = here(tiers={"small": Tier(tpm=100_000, endpoints=endpoints)})
        body = {"classifier_id": await trained(gateway), "input": "good thing"}
        for _ in range(passed):
            await asked(gateway, "classify", body)
        assert (await refused(gateway, "classify", body)).code is Code.RATE_REQUEST_LIMIT_EXCEEDED
        zero = {"model": V3, "input": "a", "labels": ["x", "y"]}
        if passed == 2:
            await asked(gateway, "classify", zero)
        else:
            assert (await refused(gateway, "classify", zero)).code is Code.RATE_REQUEST_LIMIT_EXCEEDED


async def partially(gateway: Gateway, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    call = gateway.call(orjson.dumps(body), SEARCH_KEY, "192.0.2.1", Directives())
    chosen = next(entry for entry in ENDPOINTS if entry.name == endpoint)
    reply = await gateway.pipeline.serve(chosen, replace(call, partial=True), Facts(endpoint, "r"))
    content: dict[str, Any] = orjson.loads(reply.body)
    return content
