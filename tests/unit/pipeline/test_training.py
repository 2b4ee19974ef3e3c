"""Trained classifiers through the whole pipeline, learnt here and relayed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured, snapshot_of
from fakes.jina_upstream import KEY, Fault

from gateway.config.backends import Backend, ModelEntry
from gateway.config.schema import Bounds, Tier
from gateway.endpoints import ENDPOINTS
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Directives, Facts

if TYPE_CHECKING:
    from gateway.ports import Classifier, Exchange, RawReply

V3 = "jina-embeddings-v3"
HERE = {"models": {V3: ModelEntry(serve="local")}}
EXAMPLES = [("good thing", "yes"), ("bad", "no"), ("very good thing", "yes"), ("so bad", "no")]
WORDS = 2 + 1 + 3 + 2
BIG = {"tiers": {"small": Tier(rpm=100, tpm=100_000, concurrency=5)}}


def here(**changes: Any) -> Gateway:
    """A gateway that trains by itself."""
    return Gateway(configured(**(HERE | BIG | changes)))


def relaying(**changes: Any) -> Gateway:
    """A gateway whose upstream trains."""
    return Gateway(configured(**(BIG | changes)))


MAKERS = [here, relaying]


def examples(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for text, label in pairs or EXAMPLES]


async def asked(gateway: Gateway, endpoint: str, body: dict[str, Any], key: str = SEARCH_KEY) -> dict[str, Any]:
    reply, _ = await gateway.ask(endpoint, orjson.dumps(body), key)
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


async def trained(gateway: Gateway, key: str = SEARCH_KEY, **fields: Any) -> str:
    content = await asked(gateway, "train", {"model": V3, "input": examples(), **fields}, key)
    return str(content["classifier_id"])


async def refused(gateway: Gateway, endpoint: str, body: dict[str, Any], key: str = SEARCH_KEY) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await asked(gateway, endpoint, body, key)
    return raised.value


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


async def test_a_relayed_training_is_never_sent_twice() -> None:
    gateway = relaying(backends={"jina": Backend(dialect="jina", url="http://u", key=KEY, retries=3)})
    gateway.upstream.faults.append(Fault(status=500))
    assert (await refused(gateway, "train", {"model": V3, "input": examples()})).code is Code.SERVICE_UNAVAILABLE
    assert len(gateway.upstream.calls) == 1
    assert not gateway.classifiers.records


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


async def begun(gateway: Gateway, endpoint: str, body: dict[str, Any]) -> tuple[asyncio.Event, asyncio.Task[Any]]:
    """A call whose backend does not answer before the event is set."""
    gate = asyncio.Event()
    gateway.upstream.faults.append(Fault(gate=gate))
    task = asyncio.create_task(asked(gateway, endpoint, body))
    while gateway.upstream.faults:  # noqa: ASYNC110 - the upstream tells nobody
        await asyncio.sleep(0)
    return gate, task


async def test_the_last_place_goes_to_one_of_several_who_began_at_once() -> None:
    gateway = here(tiers={"small": Tier(tpm=100_000, classifiers=1)})
    gate, late = await begun(gateway, "train", {"model": V3, "input": examples(("x", "1"), ("y", "2"))})
    await trained(gateway)
    gate.set()
    with pytest.raises(GatewayError) as raised:
        await late
    assert raised.value.code is Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED
    assert len(gateway.classifiers.records) == 1
    assert len(gateway.counted) == 1, "who is refused pays nothing"
    assert gateway.used("search").tokens == WORDS * 10


@pytest.mark.parametrize("make", MAKERS)
async def test_who_comes_second_is_told_that_it_is_busy(make: Any) -> None:
    gateway = make()
    identifier = await trained(gateway)
    update = {"classifier_id": identifier, "input": examples(("new", "maybe"))}
    gate, first = await begun(gateway, "train", update)
    error = await refused(gateway, "train", update)
    assert (error.code, error.retryable) == (Code.CONFLICT_RESOURCE_BUSY, True)
    assert error.message == f"Classifier '{identifier}' is currently being modified"
    used = await asked(gateway, "classify", {"classifier_id": identifier, "input": "good thing"})
    assert len(used["data"][0]["predictions"]) == 2, "others use what was there before"
    gate.set()
    assert (await first)["num_samples"] == 1
    assert (await asked(gateway, "train", update))["num_samples"] == 1


async def test_a_lock_is_renewed_while_its_holder_lives() -> None:
    gateway = here()
    identifier = await trained(gateway)
    update = {"classifier_id": identifier, "input": examples(("new", "maybe"))}
    gate, first = await begun(gateway, "train", update)
    for _ in range(10):
        await gateway.clock.advance(6)
        assert (await refused(gateway, "train", update)).code is Code.CONFLICT_RESOURCE_BUSY
    gate.set()
    await first


async def test_weights_of_another_version_are_not_overwritten() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gate, first = await begun(gateway, "train", {"classifier_id": identifier, "input": examples(("new", "maybe"))})
    # Its lock is lost, as after a pause of the whole process, and somebody else changes it.
    gateway.classifiers.locks.clear()
    await asked(gateway, "train", {"classifier_id": identifier, "input": examples(("good thing", "yes"))})
    gate.set()
    with pytest.raises(GatewayError) as raised:
        await first
    assert raised.value.code is Code.CONFLICT_RESOURCE_BUSY
    kept = await gateway.classifiers.find(identifier)
    assert kept is not None
    assert (kept.version, kept.labels) == (2, ("yes", "no"))


async def test_one_that_is_removed_meanwhile_is_not_found() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gate, first = await begun(gateway, "train", {"classifier_id": identifier, "input": examples(("new", "maybe"))})
    gateway.classifiers.records.clear()
    gate.set()
    with pytest.raises(GatewayError) as raised:
        await first
    assert raised.value.code is Code.RESOURCE_NOT_FOUND


async def test_a_failed_training_leaves_what_was_there_and_gives_the_lock_back() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gateway.upstream.bad.add("bad one")
    update = {"classifier_id": identifier, "input": examples(("fine", "yes"), ("bad one", "no"))}
    error = await refused(gateway, "train", update)
    assert (error.code, error.errors[0].field) == (Code.INPUT_INVALID, f"body -> {V3} -> input -> 1")
    assert not gateway.classifiers.locks
    assert (await gateway.classifiers.owned("search"))[0].version == 1
    assert len(gateway.counted) == 1


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


async def partially(gateway: Gateway, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    call = gateway.call(orjson.dumps(body), SEARCH_KEY, "192.0.2.1", Directives())
    chosen = next(entry for entry in ENDPOINTS if entry.name == endpoint)
    reply = await gateway.pipeline.serve(chosen, replace(call, partial=True), Facts(endpoint, "r"))
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


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


async def test_classifiers_of_another_vector_space_are_not_used() -> None:
    gateway = here()
    identifier = await trained(gateway)
    entry = ModelEntry(serve="local", backend="jina", revision="v3@later")
    gateway.pipeline.snapshot = snapshot_of(configured(**(BIG | {"models": {V3: entry}})))
    for endpoint, sent in (("classify", "a"), ("train", examples())):
        error = await refused(gateway, endpoint, {"classifier_id": identifier, "input": sent})
        assert error.code is Code.RESOURCE_NOT_FOUND
        assert "another revision" in error.message


async def test_a_model_that_is_not_served_any_more_is_not_found() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gateway.classifiers.records[identifier] = (
        replace(gateway.classifiers.records[identifier][0], model="gone"),
        b"",
    )
    error = await refused(gateway, "classify", {"classifier_id": identifier, "input": "a"})
    assert error.code is Code.INPUT_MODEL_NOT_FOUND


async def test_a_relayed_one_whose_backend_is_gone_is_not_asked_elsewhere() -> None:
    gateway = relaying()
    identifier = await trained(gateway)
    kept = gateway.classifiers.records[identifier][0]
    gateway.classifiers.records[identifier] = (replace(kept, backend="old"), b"")
    calls = len(gateway.upstream.calls)
    error = await refused(gateway, "classify", {"classifier_id": identifier, "input": "a"})
    assert error.code is Code.SERVICE_UNAVAILABLE
    assert len(gateway.upstream.calls) == calls


async def test_what_the_upstream_says_of_a_classifier_is_the_clients_business() -> None:
    gateway = relaying()
    identifier = await trained(gateway)
    gateway.upstream.training.busy.add(identifier)
    body = {"classifier_id": identifier, "input": "a"}
    assert (await refused(gateway, "classify", body)).code is Code.CONFLICT_RESOURCE_BUSY
    gateway.upstream.training.labels.clear()
    assert (await refused(gateway, "classify", body)).code is Code.RESOURCE_NOT_FOUND
    assert not gateway.seen.misfits


async def test_a_store_that_is_down_is_a_503_and_zero_shot_goes_on() -> None:
    gateway = here()
    identifier = await trained(gateway)
    gateway.classifiers.down = True
    for endpoint, body in (
        ("classify", {"classifier_id": identifier, "input": "a"}),
        ("train", {"classifier_id": identifier, "input": examples()}),
        ("train", {"model": V3, "input": examples()}),
    ):
        assert (await refused(gateway, endpoint, body)).code is Code.SERVICE_UNAVAILABLE
    assert await asked(gateway, "classify", {"model": V3, "input": "a", "labels": ["x", "y"]})


async def test_weights_are_read_once_for_each_version() -> None:
    gateway = here()
    identifier = await trained(gateway)
    loads = 0
    load = gateway.classifiers.load

    async def counted(classifier: Classifier) -> tuple[Classifier, bytes] | None:
        nonlocal loads
        loads += 1
        return await load(classifier)

    gateway.classifiers.load = counted  # type: ignore[method-assign] # to count
    for _ in range(3):
        await asked(gateway, "classify", {"classifier_id": identifier, "input": "good thing"})
    assert loads == 1
    await asked(gateway, "train", {"classifier_id": identifier, "input": examples(("other", "maybe"))})
    found = await asked(gateway, "classify", {"classifier_id": identifier, "input": "good thing"})
    assert len(found["data"][0]["predictions"]) == 3, "never older than the record"


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


async def test_with_several_backends_the_one_that_has_it_is_asked() -> None:
    backends = {name: Backend(dialect="jina", url=f"http://{name}", key=KEY) for name in ("jina", "also")}
    entry = ModelEntry(backend="jina", replicas=({"backend": "also"},))
    gateway = relaying(backends=backends, models={V3: entry})
    seen: list[str] = []
    send = gateway.upstream.send

    async def watched(backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        seen.append(backend)
        return await send(backend, exchange, timeout_seconds)

    gateway.upstream.send = watched  # type: ignore[method-assign] # to watch
    identifier = await trained(gateway)
    for _ in range(10):
        await asked(gateway, "classify", {"classifier_id": identifier, "input": "a"})
    assert set(seen) == {"jina"}
