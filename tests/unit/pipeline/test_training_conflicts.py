"""Trainings that meet one another, and what goes wrong around them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import configured, snapshot_of
from fakes.jina_upstream import KEY, Fault
from fakes.training import (
    BIG,
    MAKERS,
    V3,
    WORDS,
    asked,
    begun,
    examples,
    here,
    refused,
    relaying,
    trained,
)

from gateway.config.backends import Backend, ModelEntry
from gateway.config.schema import Tier
from gateway.errors import Code, GatewayError

if TYPE_CHECKING:
    from gateway.ports import Classifier, Exchange, RawReply


async def test_a_relayed_training_is_never_sent_twice() -> None:
    gateway = relaying(backends={"jina": Backend(dialect="jina", url="http://u", key=KEY, retries=3)})
    gateway.upstream.faults.append(Fault(status=500))
    assert (await refused(gateway, "train", {"model": V3, "input": examples()})).code is Code.SERVICE_UNAVAILABLE
    assert len(gateway.upstream.calls) == 1
    assert not gateway.classifiers.records


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
