from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints.rerank import Rerank, RerankPresentation
from gateway.endpoints.schemas_replies import RerankingResponse
from gateway.vocabulary import Answer, Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.vocabulary import Json

M0, V3 = "jina-reranker-m0", "jina-reranker-v3"
DOCUMENTS = ["a", {"text": "b", "id": 7}, {"image": "aGk="}]


def scores(*values: float) -> list[Answer]:
    return [Answer(Shape.SCORE, struct.pack("<d", value), 1, 5) for value in values]


def test_whole_reply(validate: Callable[..., Job]) -> None:
    job = validate({"model": M0, "query": "q", "documents": DOCUMENTS})
    body = Rerank().assemble(job, scores(0.1, -2.5, 0.9))
    assert json.loads(body) == {
        "model": M0,
        "object": "list",
        "usage": {"total_tokens": 15},
        "results": [
            {"index": 2, "relevance_score": 0.9, "document": {"image": "aGk="}},
            {"index": 0, "relevance_score": 0.1, "document": "a"},
            {"index": 1, "relevance_score": -2.5, "document": {"text": "b", "id": 7}},
        ],
    }
    RerankingResponse.model_validate_json(body, strict=True)


def test_without_documents(validate: Callable[..., Job]) -> None:
    job = validate({"model": M0, "query": "q", "documents": DOCUMENTS, "return_documents": False})
    assert all(set(result) == {"index", "relevance_score"} for result in results(job, scores(1, 2, 3)))


@pytest.mark.parametrize(
    ("top_n", "indexes"), [(1, [2]), (2, [2, 0]), (3, [2, 0, 1]), (99, [2, 0, 1]), (None, [2, 0, 1])]
)
def test_top_n_shortens_the_list_but_not_the_bill(
    top_n: int | None, indexes: list[int], validate: Callable[..., Job]
) -> None:
    job = validate({"model": M0, "query": "q", "documents": DOCUMENTS, "top_n": top_n})
    body = json.loads(Rerank().assemble(job, scores(0.5, 0.1, 0.9)))
    assert [result["index"] for result in body["results"]] == indexes
    assert body["usage"] == {"total_tokens": 15}


def results(job: Job, answers: list[Answer]) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = json.loads(Rerank().assemble(job, answers))["results"]
    return found


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0]), min_size=1))
def test_best_first_ties_in_order_digits_kept(values: list[float]) -> None:
    units = tuple((Item.text("x"),) for _ in values)
    job = Job("rerank", M0, M0, units, Shape.SCORE, (), RerankPresentation())
    expected = sorted(range(len(values)), key=lambda index: (-values[index], index))
    found = results(job, scores(*values))
    assert [result["index"] for result in found] == expected
    assert [result["relevance_score"] for result in found] == [values[index] for index in expected]


@pytest.mark.parametrize("top_n", [None, 2])
def test_listwise(top_n: int | None, validate: Callable[..., Job]) -> None:
    job = validate({"model": V3, "query": "q", "documents": ["a", {"text": "b"}, "c"], "top_n": top_n})
    places = [
        {"index": 2, "relevance_score": 0.5},
        {"index": 1, "relevance_score": 0.75, "embedding": [0.5, 1.0]},
        {"index": 0, "relevance_score": 0.5},
    ]
    expected = [
        {"index": 1, "relevance_score": 0.75, "embedding": [0.5, 1.0], "document": {"text": "b"}},
        {"index": 0, "relevance_score": 0.5, "document": "a"},
        {"index": 2, "relevance_score": 0.5, "document": "c"},
    ]
    assert results(job, [Answer(Shape.RANKING, json.dumps(places).encode(), 0, 8)]) == expected[:top_n]
