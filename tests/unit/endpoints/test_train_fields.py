from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.endpoints.schemas_train import SCHEMAS
from gateway.endpoints.train import Train, check_modalities, relayed_training, training_job
from gateway.endpoints.transaction import Creation, Update
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Answer, Item, Modality, Part, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

V3, CLIP = "jina-embeddings-v3", "jina-clip-v2"
YES, NO = {"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}
IMAGE = {"image": "https://a.example/x.png", "label": "no"}
EVERY = [name for name, model in CATALOGUE.items() if model.classify in SCHEMAS] + [LOCAL_MODEL.name]
Read = "Callable[..., Any]"


@pytest.fixture
def read(make_snapshot: Callable[..., Snapshot]) -> Callable[..., Any]:
    def run(fields: Json, **config: Json) -> Creation | Update:
        return Train().validate(json.dumps(fields).encode(), make_snapshot(**config))

    return run


@pytest.fixture
def refuse(read: Callable[..., Any]) -> Callable[..., GatewayError]:
    def run(fields: Json, **config: Json) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            read(fields, **config)
        return caught.value

    return run


@pytest.mark.parametrize("model", EVERY)
def test_examples_for_a_new_classifier(model: str, read: Callable[..., Any]) -> None:
    asked = read({"model": model, "input": [YES, NO, YES]})
    assert asked.model.name == model
    assert asked.items == (Item.text("good"), Item.text("bad"), Item.text("good"))
    assert asked.labels == ("yes", "no", "yes")
    assert (asked.iterations, asked.access) == (10, "public")
    asked = read({"model": model, "input": [YES, NO], "num_iters": 1, "access": "private"})
    assert (asked.iterations, asked.access) == (1, "private")


def test_models_that_cannot_be_trained_are_not_found(refuse: Callable[..., GatewayError]) -> None:
    for model in ("jina-code-embeddings-0.5b", "jina-reranker-v3", "jina-colbert-v2", "nobody"):
        assert refuse({"model": model, "input": [YES, NO]}).code is Code.INPUT_MODEL_NOT_FOUND


@pytest.mark.parametrize("model", [CLIP, "jina-embeddings-v4"])
def test_some_read_images(model: str, read: Callable[..., Any]) -> None:
    assert read({"model": model, "input": [YES, IMAGE]}).items[1].modality is Modality.IMAGE


MODEL = f"body -> {V3}"
WRONG: list[tuple[dict[str, Json], str, str]] = [
    ({"input": [YES]}, f"{MODEL} -> input", "too_short"),
    ({"input": [YES] * 513}, f"{MODEL} -> input", "too_long"),
    ({"input": YES}, f"{MODEL} -> input", "list_type"),
    ({"input": [YES, IMAGE]}, f"{MODEL} -> input -> 1", "item_type"),
    ({"input": [YES, {"text": "a"}]}, f"{MODEL} -> input -> 1", "item_type"),
    ({"input": [YES, {"text": 1, "label": "a"}]}, f"{MODEL} -> input -> 1", "item_type"),
    ({"input": ["a", YES]}, f"{MODEL} -> input -> 0", "item_type"),
    ({"input": [YES, YES | IMAGE]}, f"{MODEL} -> input -> 1", "item_type"),
    ({"num_iters": 0}, f"{MODEL} -> num_iters", "greater_than_equal"),
    ({"num_iters": 101}, f"{MODEL} -> num_iters", "less_than_equal"),
    ({"num_iters": True}, f"{MODEL} -> num_iters", "int_type"),
    ({"num_iters": "x"}, f"{MODEL} -> num_iters", "int_parsing"),
    ({"access": "secret"}, f"{MODEL} -> access", "literal_error"),
    ({"task": "classification"}, f"{MODEL} -> task", "extra_forbidden"),
    ({"classifier_id": "c"}, "body -> model", "value_error"),
]


@pytest.mark.parametrize(("fields", "path", "kind"), WRONG)
def test_what_breaks_the_schema(
    fields: dict[str, Json], path: str, kind: str, refuse: Callable[..., GatewayError]
) -> None:
    error = refuse({"model": V3, "input": [YES, NO], **fields})
    assert error.code is Code.INPUT_INVALID
    assert (error.errors[0].field, error.errors[0].type) == (path, kind)


@pytest.mark.parametrize("examples", [[YES, YES], [YES, {"text": "x", "label": ""}], [{"text": "x", "label": ""}] * 2])
def test_labels_that_make_no_sense(examples: Json, refuse: Callable[..., GatewayError]) -> None:
    assert refuse({"model": V3, "input": examples}).code is Code.INPUT_INVALID_LABELS


def test_examples_for_one_that_there_is(read: Callable[..., Any], refuse: Callable[..., GatewayError]) -> None:
    assert read({"classifier_id": "c", "input": YES}) == Update("c", (Item.text("good"),), ("yes",), 10)
    asked = read({"classifier_id": "c", "input": [YES, IMAGE], "num_iters": 3})
    assert (asked.labels, asked.iterations) == (("yes", "no"), 3)
    assert refuse({"classifier_id": "c", "input": []}).errors[0].type == "too_short"
    assert refuse({"classifier_id": "c", "input": YES, "access": "public"}).errors[0].field == "body -> access"
    assert refuse({"classifier_id": 5, "input": YES}).errors[0].type == "string_type"
    assert refuse({"classifier_id": "c", "input": {"text": "a", "label": ""}}).code is Code.INPUT_INVALID_LABELS


def test_lenient_validation_drops_what_it_does_not_know(read: Callable[..., Any]) -> None:
    lenient = {"server": {"validation": "lenient"}}
    for named in ({"model": V3}, {"classifier_id": "c"}):
        assert read({**named, "input": [YES, NO], "user": "u"}, **lenient).warnings == ("dropped unknown field 'user'",)


def test_examples_are_embedded_as_for_a_classification_and_told_for_each_iteration() -> None:
    model = CATALOGUE[V3]
    job = training_job(Update("c", (Item.text("a"), Item.text("b")), ("x", "y"), 10), model, "c", url_inputs=False)
    assert (job.endpoint, job.parameters, job.storable) == (
        "embeddings",
        (("task", "classification"), ("truncate", True)),
        True,
    )
    assert (len(job.units), job.times, job.item_count) == (2, 10, 2)
    answers = [Answer(Shape.DENSE, b"", 0, tokens) for tokens in (3, 4)]
    told = orjson.loads(Train().assemble(job, answers))
    assert told == {"classifier_id": "c", "num_samples": 2, "usage": {"total_tokens": 70}}
    assert Train().stream(job, answers) is None


def test_a_picture_elsewhere_may_change_so_it_is_not_remembered() -> None:
    picture = Item(Modality.IMAGE, (Part(Modality.IMAGE, IMAGE["image"]),))
    asked = Update("c", (picture,), ("x",), 1)
    assert [training_job(asked, CATALOGUE[CLIP], "c", url_inputs=known).storable for known in (False, True)] == [
        False,
        True,
    ]
    check_modalities(asked.items, CATALOGUE[CLIP])
    with pytest.raises(GatewayError) as caught:
        check_modalities(asked.items, CATALOGUE[V3])
    assert caught.value.errors[0].field == "body -> UpdateTrainingRequest -> input -> 0"


def test_a_backend_that_trains_counts_its_iterations_itself() -> None:
    model = CATALOGUE[V3]
    job = relayed_training(Creation(model, (Item.text("a"),), ("x",), 10, "public"), model, "jina")
    assert (job.endpoint, job.times, job.backend, job.storable, job.whole) == ("train", 1, "jina", False, True)
    told = orjson.loads(
        Train().assemble(job, [Answer(Shape.VERBATIM, b'{"classifier_id":"c","num_samples":1}', 0, 70)])
    )
    assert told == {"classifier_id": "c", "num_samples": 1, "usage": {"total_tokens": 70}}
