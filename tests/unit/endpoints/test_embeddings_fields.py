from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.catalogue.registry import CATALOGUE
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation
from gateway.vocabulary import Job, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.errors import FieldError
    from gateway.vocabulary import Json

V2, V3, V4 = "jina-embeddings-v2-base-en", "jina-embeddings-v3", "jina-embeddings-v4"
NANO, SMALL = "jina-embeddings-v5-text-nano", "jina-embeddings-v5-text-small"
C5, C15 = "jina-code-embeddings-0.5b", "jina-code-embeddings-1.5b"
CLIP1, CLIP2, COL1, COL2 = "jina-clip-v1", "jina-clip-v2", "jina-colbert-v1-en", "jina-colbert-v2"
ELSER, OWN = "elser-v2", "all-MiniLM-L6-v2"

# What is sent upstream when the client sends model and input only.
DEFAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    V2: (),
    V3: (),
    V4: (("task", "text-matching"),),
    NANO: (("task", "text-matching"),),
    C5: (("task", "nl2code.query"),),
    C15: (("task", "nl2code.query"),),
    CLIP1: (),
    CLIP2: (),
    COL1: (("input_type", "document"),),
    COL2: (("input_type", "document"),),
    ELSER: (),
    OWN: (),
}

V3_TASKS = ("retrieval.query", "retrieval.passage", "text-matching", "classification", "separation")
V4_TASKS = ("text-matching", "retrieval.query", "retrieval.passage", "code.query", "code.passage")
V5_TASKS = ("retrieval.query", "retrieval.passage", "text-matching", "clustering", "classification")
CODE_TASKS = tuple(
    f"{kind}.{side}"
    for kind in ("nl2code", "qa", "code2code", "code2nl", "code2completion")
    for side in ("query", "passage")
)
TASKS = {
    V3: V3_TASKS,
    V4: V4_TASKS,
    NANO: V5_TASKS,
    C5: CODE_TASKS,
    C15: CODE_TASKS,
    CLIP2: ("retrieval.query",),
    ELSER: ("retrieval.query", "retrieval.passage"),
}
LONGEST = {V3: 1_024, V4: 2_048, NANO: 1_024, SMALL: 1_024, C5: 896, C15: 1_536, CLIP2: 1_024, OWN: 384}
NORMALIZED = {V2, V3, NANO, CLIP1, CLIP2, OWN}
TRUNCATE = {V2, V3, V4, NANO, C5, C15, CLIP1, CLIP2, OWN}
LATE = {V3, V4}
EVERY = tuple(DEFAULTS)


def shown(job: Job) -> EmbeddingsPresentation:
    assert isinstance(job.presentation, EmbeddingsPresentation)
    return job.presentation


def sent(job: Job) -> Mapping[str, Json]:
    assert list(job.parameters) == sorted(job.parameters)
    return dict(job.parameters)


@pytest.mark.parametrize("model", EVERY)
def test_defaults(model: str, validate: Callable[..., Job]) -> None:
    job = validate({"model": model, "input": "x"})
    assert job.parameters == DEFAULTS[model]
    assert shown(job) == EmbeddingsPresentation(("float",), keyed=False, dimensions=None, normalized=True)
    assert (job.endpoint, job.model, job.whole, job.storable, job.query) == ("embeddings", model, False, True, None)


@pytest.mark.parametrize("model", EVERY)
def test_null_and_the_written_default_mean_the_default(model: str, validate: Callable[..., Job]) -> None:
    nothing = {"model": model, "input": "x"}
    fields = [
        name
        for name, models in (
            ("normalized", NORMALIZED),
            ("truncate", TRUNCATE),
            ("task", TASKS),
            ("dimensions", LONGEST),
        )
        if model in models
    ]
    assert validate({**nothing, "embedding_type": None, **dict.fromkeys(fields)}) == validate(nothing)
    defaults = {"normalized": True, "truncate": False}
    written = {name: value for name, value in defaults.items() if name in fields}
    assert validate({**nothing, "embedding_type": "float", **dict(DEFAULTS[model]), **written}) == validate(nothing)


@pytest.mark.parametrize(("model", "task"), [(model, task) for model, tasks in TASKS.items() for task in tasks])
def test_task_accepted(model: str, task: str, validate: Callable[..., Job]) -> None:
    assert sent(validate({"model": model, "input": "x", "task": task}))["task"] == task


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("task", ["no-such", 5, "retrieval.query "])
def test_task_refused(model: str, task: Json, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": model, "input": "x", "task": task})
    assert error.field == f"body -> {model} -> task"
    assert error.type == ("literal_error" if model in TASKS else "extra_forbidden")


@pytest.mark.parametrize("model", LONGEST)
def test_dimensions_bounds(
    model: str, validate: Callable[..., Job], refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    for accepted in (1, LONGEST[model], 64.0):
        job = validate({"model": model, "input": "x", "dimensions": accepted})
        assert (shown(job).dimensions or sent(job)["dimensions"]) == accepted
    lowest = "greater_than_equal" if model == OWN else "greater_than"
    for value, kind in (
        (0, lowest),
        (LONGEST[model] + 1, "less_than_equal"),
        ("64", "int_type"),
        (True, "int_type"),
        (1e30, "int_type"),
    ):
        (error,) = refuse({"model": model, "input": "x", "dimensions": value})
        assert (error.field, error.type) == (f"body -> {model} -> dimensions", kind)


def test_own_models_bound_is_in_the_message(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": OWN, "input": "x", "dimensions": 385})
    assert error.message == "Input should be less than or equal to 384"


@pytest.mark.parametrize("model", [V2, CLIP1, COL1, ELSER])
def test_dimensions_unknown(model: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": model, "input": "x", "dimensions": 64})
    assert error.type == "extra_forbidden"


@pytest.mark.parametrize("value", [64, 96, 128])
def test_colbert_dimensions_accepted(value: int, validate: Callable[..., Job]) -> None:
    assert sent(validate({"model": COL2, "input": "x", "dimensions": value}))["dimensions"] == value


@pytest.mark.parametrize("value", [0, 63, 127, 129, "64"])
def test_colbert_dimensions_refused(value: Json, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": COL2, "input": "x", "dimensions": value})
    assert error.type == "literal_error"


@pytest.mark.parametrize(
    ("model", "asked", "parameter"),
    [(NANO, 768, None), (NANO, 769, 769), (SMALL, 1_024, None), (OWN, 100, None), (COL2, 64, 64), (V4, 2_048, None)],
)
def test_dimensions_are_a_parameter_only_where_they_cannot_be_derived(
    model: str, asked: int, parameter: int | None, validate: Callable[..., Job]
) -> None:
    job = validate({"model": model, "input": "x", "dimensions": asked})
    assert sent(job).get("dimensions") == parameter
    assert shown(job).dimensions == (None if parameter else asked)


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("flag", [("normalized", NORMALIZED, False), ("truncate", TRUNCATE, True)], ids=lambda f: f[0])
def test_flags(
    model: str,
    flag: tuple[str, set[str], bool],
    validate: Callable[..., Job],
    refuse: Callable[..., tuple[FieldError, ...]],
) -> None:
    field, models, telling = flag
    body = {"model": model, "input": "x", field: telling}
    if model not in models:
        assert [error.type for error in refuse(body)] == ["extra_forbidden"]
        return
    assert sent(validate(body))[field] is telling
    assert field not in sent(validate({**body, field: not telling}))
    assert [error.type for error in refuse({**body, field: "true"})] == ["bool_type"]
    assert shown(validate(body)).normalized is (field != "normalized")


@pytest.mark.parametrize("model", EVERY)
def test_late_chunking_makes_one_unit(
    model: str, validate: Callable[..., Job], refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    body = {"model": model, "input": ["a", "b"], "late_chunking": True}
    if model not in LATE:
        assert [error.type for error in refuse(body)] == ["extra_forbidden"]
        return
    job = validate(body)
    assert (job.whole, len(job.units), job.item_count, job.shape) == (True, 1, 2, Shape.DENSE)
    assert sent(job)["late_chunking"] is True
    assert validate({**body, "late_chunking": False}) == validate({"model": model, "input": ["a", "b"]})


@pytest.mark.parametrize("model", EVERY)
def test_multivector(model: str, validate: Callable[..., Job], refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    body = {"model": model, "input": "x", "return_multivector": True, "return_tokenized_input": True}
    if model == OWN:
        assert [error.field.rpartition(" -> ")[2] for error in refuse(body)] == ["return_tokenized_input"]
        job = validate({"model": model, "input": "x", "return_multivector": True})
        assert (job.shape, sent(job)) == (Shape.MULTI, {"return_multivector": True})
        return
    if model != V4:
        assert [error.type for error in refuse(body)] == ["extra_forbidden"] * 2
        return
    job = validate(body)
    assert job.shape is Shape.MULTI
    assert sent(job) == {"return_multivector": True, "return_tokenized_input": True, "task": "text-matching"}


def test_multivectors_of_a_pdf_are_not_taken_apart(validate: Callable[..., Job]) -> None:
    assert validate({"model": V4, "input": {"pdf": "aGk="}, "return_multivector": True}).shape is Shape.VERBATIM


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"return_multivector": True, "dimensions": 64}, "dimensions"),
        ({"return_tokenized_input": True}, "return_tokenized_input"),
        ({"return_tokenized_input": True, "return_multivector": False}, "return_tokenized_input"),
        ({"late_chunking": True, "input": ["a", {"image": "Yg=="}]}, "late_chunking"),
    ],
)
def test_fields_that_do_not_go_together(
    extra: dict[str, Json], field: str, refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    (error,) = refuse({"model": V4, "input": "x", **extra})
    assert (error.field, error.type) == (f"body -> {V4} -> {field}", "value_error")


@pytest.mark.parametrize(
    ("types", "parameter"),
    [(None, None), ("float", None), ("base64", "base64"), (["float", "binary"], "float,binary")],
)
def test_late_chunked_multivectors_are_asked_for_as_shown(
    types: Json, parameter: str | None, validate: Callable[..., Job]
) -> None:
    flags = {"late_chunking": True, "return_multivector": True}
    job = validate({"model": V4, "input": "x", "embedding_type": types, **flags})
    assert job.shape is Shape.VERBATIM
    assert sent(job).get("embedding_type") == parameter


@pytest.mark.parametrize("model", [COL1, COL2])
@pytest.mark.parametrize("value", ["query", "document"])
def test_input_type(
    model: str, value: str, validate: Callable[..., Job], refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    assert sent(validate({"model": model, "input": "x", "input_type": value})) == {"input_type": value}
    assert [e.type for e in refuse({"model": model, "input": "x", "input_type": f"{value}s"})] == ["literal_error"]


@pytest.mark.parametrize(
    ("model", "shape"), [(V3, Shape.DENSE), (COL1, Shape.MULTI), (COL2, Shape.MULTI), (ELSER, Shape.SPARSE)]
)
def test_shape(model: str, shape: Shape, validate: Callable[..., Job]) -> None:
    assert validate({"model": model, "input": "x"}).shape is shape


@pytest.mark.parametrize("model", EVERY)
def test_input_is_needed(model: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": model})
    assert (error.field, error.type, error.input) == (f"body -> {model} -> input", "missing", None)


def test_every_family_is_in_the_tables() -> None:
    families = {model.embeddings for model in CATALOGUE.values() if model.embeddings}
    assert {CATALOGUE[name].embeddings for name in EVERY if name in CATALOGUE} == families
