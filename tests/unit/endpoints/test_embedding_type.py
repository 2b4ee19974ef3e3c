from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.errors import FieldError
    from gateway.vocabulary import Job, Json

V2, V3 = "jina-embeddings-v2-base-en", "jina-embeddings-v3"
EVERY = [model.name for model in (*CATALOGUE.values(), LOCAL_MODEL) if model.embeddings]


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("spelling", ["embedding_type", "encoding_format", "encoding_type"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("float", EmbeddingsPresentation(("float",))),
        ("base64", EmbeddingsPresentation(("base64",))),
        ("binary", EmbeddingsPresentation(("binary",))),
        ("ubinary", EmbeddingsPresentation(("ubinary",))),
        (["ubinary"], EmbeddingsPresentation(("ubinary",), keyed=True)),
        (["float", "base64", "float"], EmbeddingsPresentation(("float", "base64"), keyed=True)),
    ],
)
def test_accepted_in_every_spelling_as_presentation(
    model: str, spelling: str, value: Json, shown: EmbeddingsPresentation, validate: Callable[..., Job]
) -> None:
    job = validate({"model": model, "input": "x", spelling: value})
    assert job.presentation == shown
    assert job.parameters == validate({"model": model, "input": "x"}).parameters


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ({"embedding_type": "binary", "encoding_format": "base64", "encoding_type": "float"}, "binary"),
        ({"embedding_type": None, "encoding_format": "base64", "encoding_type": "float"}, "base64"),
        ({"encoding_format": None, "encoding_type": "ubinary"}, "ubinary"),
    ],
)
def test_precedence_of_spellings(fields: dict[str, Json], types: str, validate: Callable[..., Job]) -> None:
    job = validate({"model": V2, "input": "x", **fields})
    assert job.presentation == EmbeddingsPresentation((types,))


@pytest.mark.parametrize("spelling", ["embedding_type", "encoding_format", "encoding_type"])
@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ("int8", "", "literal_error"),
        (5, "", "literal_error"),
        ({}, "", "literal_error"),
        ([], "", "too_short"),
        (["float", "int8"], " -> 1", "literal_error"),
        ([["float"]], " -> 0", "literal_error"),
    ],
)
def test_wrong_embedding_type_is_named_as_spelt(
    spelling: str, value: Json, path: str, kind: str, refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    (error,) = refuse({"model": V3, "input": "x", spelling: value})
    assert (error.field, error.type) == (f"body -> {V3} -> {spelling}{path}", kind)
