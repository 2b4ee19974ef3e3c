from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.endpoints.rerank import RerankPresentation
from gateway.vocabulary import Item, Job, Modality, Part, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.errors import FieldError
    from gateway.vocabulary import Json

V2, M0, V3, OWN = "jina-reranker-v2-base-multilingual", "jina-reranker-m0", "jina-reranker-v3", "all-MiniLM-L6-v2"
EVERY = (V2, "jina-reranker-v1-tiny-en", "jina-colbert-v1-en", "jina-colbert-v2", M0, V3, OWN)
DEFAULTS: dict[str, tuple[tuple[str, Json], ...]] = {V3: (("max_doc_length", 2_048),)}


def body(model: str, **fields: Json) -> dict[str, Json]:
    return {"model": model, "query": "q", "documents": ["a", "b"], **fields}


@pytest.mark.parametrize("model", EVERY)
def test_defaults(model: str, validate: Callable[..., Job]) -> None:
    job = validate(body(model))
    assert job.parameters == DEFAULTS.get(model, ())
    assert job.presentation == RerankPresentation(top_n=None, documents=["a", "b"])
    assert (job.endpoint, job.model, job.query, job.item_count) == ("rerank", model, "q", 2)
    listwise = model == V3
    assert (job.whole, len(job.units)) == ((True, 1) if listwise else (False, 2))
    assert job.shape is (Shape.RANKING if listwise else Shape.SCORE)


@pytest.mark.parametrize("model", EVERY)
def test_null_means_the_default(model: str, validate: Callable[..., Job]) -> None:
    assert validate(body(model, top_n=None, return_documents=None, truncation=None)) == validate(body(model))


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("top_n", [1, 2, 5_000])
def test_top_n_is_presentation(model: str, top_n: int, validate: Callable[..., Job]) -> None:
    job = validate(body(model, top_n=top_n))
    assert job.presentation == RerankPresentation(top_n=top_n, documents=["a", "b"])
    assert job.parameters == validate(body(model)).parameters


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("top_n", 0, "greater_than_equal"),
        ("top_n", -1, "greater_than_equal"),
        ("top_n", "1", "int_type"),
        ("return_documents", "yes", "bool_type"),
        ("truncation", 1, "bool_type"),
        ("query", 5, "item_type"),
        ("query", None, "item_type"),
        ("query", {"image": "x"}, "item_type"),
        ("documents", [], "too_short"),
        ("documents", "a", "list_type"),
        ("documents", None, "list_type"),
        ("task", "x", "extra_forbidden"),
        ("embedding_type", "float", "extra_forbidden"),
    ],
)
def test_refused(model: str, field: str, value: Json, kind: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    (error,) = refuse(body(model, **{field: value}))
    assert (error.field, error.type) == (f"body -> {model} -> {field}", kind)


@pytest.mark.parametrize("model", EVERY)
def test_query_is_needed(model: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    fields = body(model)
    del fields["query"]
    assert [(error.field, error.type) for error in refuse(fields)] == [(f"body -> {model} -> query", "missing")]


@pytest.mark.parametrize("model", EVERY)
def test_query_may_be_an_object(model: str, validate: Callable[..., Job]) -> None:
    assert validate(body(model, query={"text": "q"})) == validate(body(model))


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("value", [True, False])
def test_truncation(model: str, *, value: bool, validate: Callable[..., Job]) -> None:
    expected = None if model == OWN and not value else value
    assert dict(validate(body(model, truncation=value)).parameters).get("truncation") is expected


@pytest.mark.parametrize("model", EVERY)
def test_documents_are_echoed_only_on_demand(model: str, validate: Callable[..., Job]) -> None:
    assert validate(body(model, return_documents=False)).presentation == RerankPresentation()


@pytest.mark.parametrize("model", EVERY)
def test_documents_keep_their_form_and_extra_fields(model: str, validate: Callable[..., Job]) -> None:
    documents = ["a", {"text": "b", "id": 7, "meta": {"k": [1]}}]
    job = validate(body(model, documents=documents))
    assert job.presentation == RerankPresentation(documents=documents)
    assert [item for unit in job.units for item in unit] == [Item.text("a"), Item.text("b")]


@pytest.mark.parametrize("model", EVERY)
def test_only_m0_takes_images(
    model: str, validate: Callable[..., Job], refuse: Callable[..., tuple[FieldError, ...]]
) -> None:
    fields = body(model, documents=["a", {"image": "https://a.example/x.png"}])
    if model == M0:
        job = validate(fields)
        assert job.units[1] == (Item(Modality.IMAGE, (Part(Modality.IMAGE, "https://a.example/x.png"),)),)
        assert not job.storable
    else:
        assert [(e.field, e.type) for e in refuse(fields)] == [(f"body -> {model} -> documents -> 1", "item_type")]


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({"max_doc_length": 1}, (("max_doc_length", 1),)),
        ({"max_doc_length": 8_192}, (("max_doc_length", 8_192),)),
        ({"return_embeddings": True}, (("max_doc_length", 2_048), ("return_embeddings", True))),
        ({"return_embeddings": False}, (("max_doc_length", 2_048),)),
        ({"return_embeddings": None}, (("max_doc_length", 2_048),)),
    ],
)
def test_v3_fields(
    fields: dict[str, Json], parameters: tuple[tuple[str, Json], ...], validate: Callable[..., Job]
) -> None:
    assert validate(body(V3, **fields)).parameters == parameters


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("max_doc_length", 0, "greater_than_equal"),
        ("max_doc_length", 8_193, "less_than_equal"),
        ("max_doc_length", None, "int_type"),
        ("return_embeddings", "x", "bool_type"),
    ],
)
def test_v3_fields_refused(field: str, value: Json, kind: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    assert [(e.field, e.type) for e in refuse(body(V3, **{field: value}))] == [(f"body -> {V3} -> {field}", kind)]


@pytest.mark.parametrize("model", [name for name in EVERY if name != V3])
@pytest.mark.parametrize("field", ["max_doc_length", "return_embeddings"])
def test_v3_fields_are_v3s(model: str, field: str, refuse: Callable[..., tuple[FieldError, ...]]) -> None:
    assert [error.type for error in refuse(body(model, **{field: 1}))] == ["extra_forbidden"]
