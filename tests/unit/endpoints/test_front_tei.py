from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.endpoints import front
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.front_tei import info
from gateway.endpoints.openapi_fronts import TeiInfo
from gateway.endpoints.rerank import Rerank
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.endpoint import FrontEndpoint
    from gateway.vocabulary import Json

V3, RANKER, LOCAL = "jina-embeddings-v3", "jina-reranker-v2-base-multilingual", "all-MiniLM-L6-v2"


def at(path: str) -> FrontEndpoint:
    found = front(path, "r-1")
    assert found is not None
    return found


@pytest.fixture
def snapshot(make_snapshot: Callable[..., Snapshot]) -> Snapshot:
    return make_snapshot(server={"default_models": {"embeddings": V3, "rerank": RANKER}})


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"inputs": "a"}, {"input": "a"}),
        ({"inputs": ["a", "b"], "normalize": True, "truncate": False}, {"input": ["a", "b"]}),
        ({"inputs": ["a"], "normalize": False}, {"input": ["a"], "normalized": False}),
        ({"inputs": ["a"], "truncate": True, "truncation_direction": "Right"}, {"input": ["a"], "truncate": True}),
        ({"inputs": ["a"], "prompt_name": "query"}, {"input": ["a"], "task": "retrieval.query"}),
        ({"inputs": ["a"], "prompt_name": "document"}, {"input": ["a"], "task": "retrieval.passage"}),
        ({"inputs": ["a"], "prompt_name": "separation"}, {"input": ["a"], "task": "separation"}),
        ({"inputs": ["a"], "prompt_name": None}, {"input": ["a"]}),
        ({"inputs": ["a"], "dimensions": 8}, {"input": ["a"], "dimensions": 8}),
        ({"inputs": [[15339]]}, {"input": ["hello"]}),
        ({"inputs": [15339]}, {"input": ["hello"]}),
    ],
)
def test_a_body_is_the_same_job_as_ours(theirs: Json, ours: Json, snapshot: Snapshot) -> None:
    found = at("/embed").validate(json.dumps(theirs).encode(), snapshot)
    expected = Embeddings().validate(json.dumps({"model": V3} | ours).encode(), snapshot)
    for field in ("endpoint", "model", "units", "shape", "parameters", "whole", "storable"):
        assert getattr(found, field) == getattr(expected, field), field


def test_vectors_are_a_bare_list(snapshot: Snapshot) -> None:
    endpoint = at("/embed")
    job = endpoint.validate(b'{"inputs": "a", "dimensions": 2}', snapshot)
    answers = [Answer(Shape.DENSE, np.array([3, 4, 5], "<f4").tobytes(), 3, 1)]
    assert endpoint.stream(job, answers) is None
    assert json.loads(endpoint.assemble(job, answers)) == [pytest.approx([0.6, 0.8])]
    wide = [Answer(Shape.DENSE, np.ones(600_000, "<f4").tobytes(), 600_000, 1)]
    pieces = endpoint.stream(job, wide)
    assert pieces is not None
    assert b"".join(pieces) == endpoint.assemble(job, wide)


def test_places_are_a_bare_list(snapshot: Snapshot) -> None:
    endpoint = at("/rerank")
    scores = [Answer(Shape.SCORE, np.array([value], "<f8").tobytes(), 0, 1) for value in (0.1, 0.7)]
    for fields, extra in (({}, [{}, {}]), ({"return_text": True}, [{"text": "b"}, {"text": "a"}])):
        body = {"query": "q", "texts": ["a", "b"], "raw_scores": False, "truncate": True} | fields
        job = endpoint.validate(json.dumps(body).encode(), snapshot)
        ours = {"model": RANKER, "query": "q", "documents": ["a", "b"], "truncation": True}
        assert (job.units, job.parameters) == (
            (expected := Rerank().validate(json.dumps(ours).encode(), snapshot)).units,
            expected.parameters,
        )
        places = [{"index": 1, "score": 0.7} | extra[0], {"index": 0, "score": 0.1} | extra[1]]
        assert json.loads(endpoint.assemble(job, scores)) == places


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/embed", {}, "body -> inputs"),
        ("/embed", {"inputs": ["a"], "prompt_name": "poem"}, "body -> prompt_name"),
        ("/embed", {"inputs": ["a"], "truncation_direction": "Left"}, "body -> truncation_direction"),
        ("/embed", {"inputs": ["a"], "dimensions": 0}, f"body -> {V3} -> dimensions"),
        ("/embed", {"inputs": [300_000]}, f"body -> {V3} -> inputs -> 0"),
        ("/rerank", {"query": "q", "texts": []}, "body -> texts"),
        ("/rerank", {"query": "q", "texts": ["a"], "raw_scores": True}, "body -> raw_scores"),
    ],
)
def test_complaints_use_the_clients_words(path: str, body: Json, field: str, snapshot: Snapshot) -> None:
    with pytest.raises(GatewayError) as caught:
        at(path).validate(json.dumps(body).encode(), snapshot)
    assert (caught.value.code, caught.value.errors[0].field) == (Code.INPUT_INVALID, field)


@pytest.mark.parametrize(
    ("only", "config", "model"),
    [
        ((LOCAL,), {}, LOCAL),
        ((LOCAL, V3), {"embeddings": V3}, V3),
        ((LOCAL, V3), {"embeddings": f"sentence-transformers/{LOCAL}"}, LOCAL),
        ((LOCAL, V3), {"rerank": LOCAL}, "2 are served"),
        ((), {}, "none are served"),
        (("jina-colbert-v2",), {}, "no single vector"),
    ],
)
def test_which_model_answers(
    only: tuple[str, ...], config: Json, model: str, make_snapshot: Callable[..., Snapshot]
) -> None:
    snapshot = make_snapshot(only=only, server={"default_models": config})
    if " " not in model:
        assert at("/embed").validate(b'{"inputs": "a"}', snapshot).model == model
        return
    with pytest.raises(GatewayError, match=model) as caught:
        at("/embed").validate(b'{"inputs": "a"}', snapshot)
    assert caught.value.code is Code.INPUT_INVALID


def test_info_describes_the_model(snapshot: Snapshot) -> None:
    told = TeiInfo.model_validate_json(info(snapshot), strict=True)
    assert (told.model_id, told.max_input_length) == (f"jina-ai/{V3}", 8_192)
    assert list(told.model_type) == ["embedding"]


def test_a_model_without_tasks_has_no_prompts(make_snapshot: Callable[..., Snapshot]) -> None:
    with pytest.raises(GatewayError, match="has no prompt of that name; it has none"):
        at("/embed").validate(b'{"inputs": "a", "prompt_name": "query"}', make_snapshot(only=(LOCAL,)))
