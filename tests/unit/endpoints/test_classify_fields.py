from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.endpoints.classify import Classify
from gateway.endpoints.classify_reply import ClassifyPresentation
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.schemas_embeddings import SCHEMAS as EMBEDDINGS
from gateway.endpoints.transaction import FewShot
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Item, Job, Modality, Part, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

OWN = LOCAL_MODEL.name
EVERY = [name for name, model in CATALOGUE.items() if model.classify] + [OWN]
V3, CLIP = "jina-embeddings-v3", "jina-clip-v2"
IMAGE = {"image": "https://a.example/x.png"}


def body(model: str = V3, **fields: Json) -> dict[str, Json]:
    return {"model": model, "input": ["a", {"text": "b"}], "labels": ["x", "y", "z"], **fields}


@pytest.fixture
def validate(make_snapshot: Callable[..., Snapshot]) -> Callable[..., Job]:
    def run(fields: Json, *, relays: bool = False, **config: Json) -> Job:
        snapshot = make_snapshot(**config)
        served = {name: replace(entry, relays=relays) for name, entry in snapshot.served.items()}
        job = Classify().validate(json.dumps(fields).encode(), replace(snapshot, served=served))
        assert isinstance(job, Job)
        return job

    return run


@pytest.fixture
def refuse(validate: Callable[..., Job]) -> Callable[..., GatewayError]:
    def run(fields: Json, **config: Json) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            validate(fields, **config)
        return caught.value

    return run


@pytest.mark.parametrize("model", EVERY)
def test_inputs_and_labels_are_asked_as_embeddings_would_ask_them(
    model: str, validate: Callable[..., Job], make_snapshot: Callable[..., Snapshot]
) -> None:
    family = (CATALOGUE.get(model) or LOCAL_MODEL).embeddings
    assert family is not None
    task = EMBEDDINGS[family].model_fields.get("task")
    tasked = task is not None and "classification" in str(get_args(task.annotation))
    same = {"model": model, "input": ["a", "b", "x", "y", "z"]} | ({"task": "classification"} if tasked else {})
    embeddings = Embeddings().validate(json.dumps(same).encode(), make_snapshot())
    job = validate(body(model))
    assert job == replace(embeddings, presentation=job.presentation, labels=(3,))
    assert job.presentation == ClassifyPresentation(((None, ("x", "y", "z")),))
    assert (job.item_count, len(job.units)) == (2, 5)


@pytest.mark.parametrize(("labels", "wire"), [(["x", "y"], '["x","y"]'), ({"g": ["x"], "h": ["y"]}, None)])
def test_what_is_relayed_is_one_unit_with_its_labels(
    labels: Json, wire: str | None, validate: Callable[..., Job]
) -> None:
    job = validate(body(labels=labels), relays=True)
    assert (job.endpoint, job.shape, job.whole, job.item_count) == ("classify", Shape.VERBATIM, True, 2)
    assert job.units == ((Item.text("a"), Item.text("b"), Item.text("x"), Item.text("y")),)
    ((name, value),) = job.parameters
    assert (name, json.loads(str(value))) == ("labels", labels)
    assert wire is None or value == wire
    assert job.labels == ((2,) if wire else (1, 1))


def test_groups_are_labels_one_after_the_other(validate: Callable[..., Job]) -> None:
    job = validate(body(labels={"mood": ["good", "bad"], "topic": ["bad", "b", "c"]}))
    assert job.labels == (2, 3)
    assert [unit[0].parts[0].value for unit in job.units] == ["a", "b", "good", "bad", "bad", "b", "c"]
    assert job.presentation == ClassifyPresentation((("mood", ("good", "bad")), ("topic", ("bad", "b", "c"))))


@pytest.mark.parametrize("model", EVERY)
def test_only_clip_takes_images(model: str, validate: Callable[..., Job], refuse: Callable[..., GatewayError]) -> None:
    for sent in (IMAGE, ["a", IMAGE]):
        if "clip" in model:
            job = validate(body(model, input=sent))
            assert job.units[-4] == (Item(Modality.IMAGE, (Part(Modality.IMAGE, IMAGE["image"]),)),)
            assert not job.storable
            assert validate(body(model, input=sent), cache={"url_inputs": True}).storable
        else:
            (error,) = refuse(body(model, input=sent)).errors
            assert error.type == "item_type"


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("sent", [{"pdf": "eA=="}, ["a", {"content": [{"text": "b"}]}], [{"video": "eA=="}]])
def test_nothing_else_is_taken(model: str, sent: Json, refuse: Callable[..., GatewayError]) -> None:
    assert refuse(body(model, input=sent)).errors[0].type == "item_type"


MODEL = f"body -> {V3}"
WRONG: list[tuple[dict[str, Json], str, str]] = [
    ({"labels": "x"}, f"{MODEL} -> labels", "list_type"),
    ({"labels": None}, f"{MODEL} -> labels", "list_type"),
    ({"labels": ["x", 1]}, f"{MODEL} -> labels -> 1", "string_type"),
    ({"labels": {"g": "x"}}, f"{MODEL} -> labels -> g", "list_type"),
    ({"labels": {"g": ["x"], "h": ["y", None]}}, f"{MODEL} -> labels -> h -> 1", "string_type"),
    ({"input": []}, f"{MODEL} -> input", "too_short"),
    ({"input": 5}, f"{MODEL} -> input", "item_type"),
    ({"input": ["a"] * 513}, f"{MODEL} -> input", "too_long"),
    ({"task": "classification"}, f"{MODEL} -> task", "extra_forbidden"),
    ({"truncate": True}, f"{MODEL} -> truncate", "extra_forbidden"),
    ({"model": 5}, "body -> model", "string_type"),
    ({"classifier_id": "c"}, "body -> model", "value_error"),
]


@pytest.mark.parametrize(("fields", "path", "kind"), WRONG)
def test_what_breaks_the_schema(
    fields: dict[str, Json], path: str, kind: str, refuse: Callable[..., GatewayError]
) -> None:
    error = refuse(body(**fields))
    assert error.code is Code.INPUT_INVALID
    assert (error.errors[0].field, error.errors[0].type) == (path, kind)


@pytest.mark.parametrize("name", ["labels", "input", "model"])
def test_every_field_is_needed(name: str, refuse: Callable[..., GatewayError]) -> None:
    fields = body()
    del fields[name]
    (error,) = refuse(fields).errors
    assert (error.field.rpartition(" -> ")[2], error.type) == (name, "missing")


LABELS: list[tuple[Json, Code, str]] = [
    ([], Code.INPUT_INVALID_LABELS, "At least one label is needed"),
    ({}, Code.INPUT_INVALID_LABELS, "At least one group"),
    ({"g": []}, Code.INPUT_INVALID_LABELS, "in group 'g'"),
    (["x", ""], Code.INPUT_INVALID_LABELS, "A label is empty"),
    (["x", "y", "x"], Code.INPUT_INVALID_LABELS, "'x' is there twice"),
    ({"g": ["x"], "h": ["y", "y"]}, Code.INPUT_INVALID_LABELS, "in group 'h': 'y' is there twice"),
    ({str(at): ["x"] for at in range(9)}, Code.INPUT_INVALID_LABELS, "At most 8 groups"),
    ({"g": list(map(str, range(65)))}, Code.INPUT_LABEL_LIMIT_EXCEEDED, "65 labels provided, maximum 64 allowed"),
]


@pytest.mark.parametrize(("labels", "code", "words"), LABELS)
@pytest.mark.parametrize("relays", [True, False])
def test_labels_that_make_no_sense(
    labels: Json, code: Code, words: str, refuse: Callable[..., GatewayError], *, relays: bool
) -> None:
    error = refuse(body(labels=labels), relays=relays)
    assert error.code is code
    assert words in error.message


@pytest.mark.parametrize(
    ("labels", "sizes"),
    [
        (["x"], (1,)),
        (list(map(str, range(512))), (512,)),
        ({str(at): list(map(str, range(64))) for at in range(8)}, (64,) * 8),
    ],
)
def test_the_bounds_themselves_are_allowed(labels: Json, sizes: tuple[int, ...], validate: Callable[..., Job]) -> None:
    job = validate(body(labels=labels, input=["a"] * 512))
    assert (job.labels, job.item_count) == (sizes, 512)


def test_models_that_do_not_classify_are_not_found_here(refuse: Callable[..., GatewayError]) -> None:
    for name in ("jina-reranker-m0", "jina-colbert-v2", "elser-v2", "jina-embeddings-v5-omni-nano", "nobody"):
        assert refuse(body(name)).code is Code.INPUT_MODEL_NOT_FOUND


def test_our_own_models_may_cut(validate: Callable[..., Job]) -> None:
    assert validate(body(OWN, truncate=True)).parameters == (("truncate", True),)
    assert validate(body(OWN, truncate=None)).parameters == ()


def test_lenient_validation_drops_what_it_does_not_know(validate: Callable[..., Job]) -> None:
    job = validate(body(user="u"), server={"validation": "lenient"})
    assert job.warnings == ("dropped unknown field 'user'",)


def test_inputs_for_a_trained_classifier(make_snapshot: Callable[..., Snapshot]) -> None:
    asked = Classify().validate(b'{"classifier_id": "c-1", "input": ["a", {"text": "b"}]}', make_snapshot())
    assert asked == FewShot("c-1", (Item.text("a"), Item.text("b")))


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"model": V3, "labels": ["x"], "input": "a"}, ["body -> model", "body -> labels"]),
        ({"labels": ["x"], "input": "a"}, ["body -> labels"]),
        ({}, ["body -> FewShotClassificationRequest -> input"]),
        ({"input": [IMAGE]}, ["body -> FewShotClassificationRequest -> input -> 0"]),
        ({"input": ["a"] * 513}, ["body -> FewShotClassificationRequest -> input"]),
        ({"classifier_id": 5, "input": "a"}, ["body -> FewShotClassificationRequest -> classifier_id"]),
    ],
)
def test_what_is_wrong_beside_a_classifier(
    fields: dict[str, Json], paths: list[str], refuse: Callable[..., GatewayError]
) -> None:
    error = refuse({"classifier_id": "c", **fields})
    assert error.code is Code.INPUT_INVALID
    assert [entry.field for entry in error.errors] == paths
