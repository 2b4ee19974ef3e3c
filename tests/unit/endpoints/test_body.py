from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import Code, FieldError, GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.vocabulary import Job, Json

V3 = "jina-embeddings-v3"


@pytest.mark.parametrize("body", [b"", b"{", b"nope", b'{"a": NaN}', b"\xff", b'{"model": "\xed\xa0\x80"}'])
def test_what_is_not_json(body: bytes, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse(body)
    assert (error.field, error.type) == ("body", "json_invalid")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
def test_what_is_not_an_object(body: bytes, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse(body)
    assert (error.field, error.type) == ("body", "dict_type")


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({"input": "x"}, "missing", "Field required"),
        ({"model": None, "input": "x"}, "string_type", "Input should be a valid string"),
        ({"model": 5, "input": "x"}, "string_type", "Input should be a valid string"),
    ],
)
def test_model_is_needed(body: Json, kind: str, message: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse(body)
    assert (error.field, error.type, error.message) == ("body -> model", kind, message)


@pytest.mark.parametrize(
    "body",
    [
        {"model": "no-such", "input": "x"},
        {"model": "jina-reranker-v3", "input": "x"},
        {"model": V3, "query": "q", "documents": ["d"]},
        {"model": "", "input": "x"},
    ],
)
def test_model_that_is_not_served_here(body: Json, validate: Callable[..., Job]) -> None:
    with pytest.raises(GatewayError) as caught:
        validate(body)
    assert caught.value.code is Code.INPUT_MODEL_NOT_FOUND
    assert body["model"] in caught.value.message


@pytest.mark.parametrize(
    ("sent", "name"), [("small", "all-MiniLM-L6-v2"), (f"jina-ai/{V3}", V3), ("elastic/elser-v2", "elser-v2")]
)
def test_other_names_of_a_model_mean_the_model(sent: str, name: str, validate: Callable[..., Job]) -> None:
    assert validate({"model": sent, "input": "x"}) == validate({"model": name, "input": "x"})


def test_errors_name_the_model_as_the_catalogue_does(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": f"jina-ai/{V3}", "input": "x", "foo": 1})
    assert error == FieldError(f"body -> {V3} -> foo", "Extra inputs are not permitted", "extra_forbidden", 1)


@pytest.mark.parametrize(
    ("value", "echo"),
    [("x" * 300, "x" * 200), (["x"], None), ({"a": 1}, None), (1.5, 1.5), (True, True), (None, None)],
)
def test_echo_is_short(value: Json, echo: Json, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": V3, "input": "x", "foo": value})
    assert error.input == echo


def test_field_names_are_cut_too(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": V3, "input": "x", "f" * 9_000: 1})
    assert error.field == f"body -> {V3} -> {'f' * 200}"


def test_no_more_than_64_errors(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    assert len(refuse({"model": V3, "input": "x", **{f"extra{n}": n for n in range(100)}})) == 64
    assert len(refuse({"model": V3, "input": [None] * 100})) == 64


def test_lenient_drops_and_names_unknown_fields(validate: Callable[..., Job]) -> None:
    body = {"model": "jina-embeddings-v2-base-en", "input": "x", "task": "retrieval.query", "other": "me"}
    lenient = validate(body, server={"validation": "lenient"})
    assert lenient.warnings == ("dropped unknown field 'task'", "dropped unknown field 'other'")
    assert (lenient.parameters, lenient.units) == ((), validate({"model": body["model"], "input": "x"}).units)


def test_lenient_still_checks_known_fields(refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse({"model": V3, "input": "x", "foo": 1, "task": "x"}, server={"validation": "lenient"})
    assert error.field == f"body -> {V3} -> task"


def test_lenient_rerank(validate: Callable[..., Job]) -> None:
    body = {"model": "jina-reranker-m0", "query": "q", "documents": ["d"], "other": "me"}
    assert validate(body, server={"validation": "lenient"}).warnings == ("dropped unknown field 'other'",)
