from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.endpoints import front
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.openapi_fronts import CohereEmbedResponse, CohereRerankResponse
from gateway.endpoints.rerank import Rerank
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Answer, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.endpoint import FrontEndpoint
    from gateway.vocabulary import Job, Json

V3, V5, OWN = "jina-embeddings-v3", "jina-embeddings-v5-text-small", "small"
META = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}}


def at(path: str, sdk: str = "") -> FrontEndpoint:
    found = front(path, "r-1", sdk)
    assert found is not None
    return found


def dense(*values: float) -> Answer:
    return Answer(Shape.DENSE, np.array(values, dtype="<f4").tobytes(), len(values), 3)


def score(value: float) -> Answer:
    return Answer(Shape.SCORE, np.array([value], dtype="<f8").tobytes(), 0, 3)


@pytest.fixture
def snapshot(make_snapshot: Callable[..., Snapshot]) -> Snapshot:
    return make_snapshot()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"texts": ["a", "b"]}, {"input": ["a", "b"]}),
        ({"texts": ["a"], "input_type": "search_query"}, {"input": ["a"], "task": "retrieval.query"}),
        ({"texts": ["a"], "input_type": "search_document"}, {"input": ["a"], "task": "retrieval.passage"}),
        ({"texts": ["a"], "input_type": "classification"}, {"input": ["a"], "task": "classification"}),
        ({"texts": ["a"], "input_type": "clustering"}, {"input": ["a"], "task": "separation"}),
        ({"texts": ["a"], "input_type": "image"}, {"input": ["a"]}),
        ({"texts": ["a"], "input_type": None, "images": None}, {"input": ["a"]}),
        ({"texts": ["a"], "output_dimension": 64}, {"input": ["a"], "dimensions": 64}),
        ({"texts": ["a"], "truncate": "END"}, {"input": ["a"], "truncate": True}),
        ({"texts": ["a"], "truncate": "NONE"}, {"input": ["a"]}),
        ({"inputs": [{"content": [{"type": "text", "text": "a"}]}]}, {"input": ["a"]}),
        (
            {"model": V5, "texts": ["a"], "input_type": "clustering"},
            {"model": V5, "input": ["a"], "task": "clustering"},
        ),
        ({"model": OWN, "texts": ["a"], "input_type": "search_query"}, {"model": OWN, "input": ["a"]}),
        (
            {"model": "jina-code-embeddings-0.5b", "texts": ["a"], "input_type": "search_document"},
            {"model": "jina-code-embeddings-0.5b", "input": ["a"], "task": "nl2code.passage"},
        ),
        (
            {"model": "jina-clip-v2", "images": ["data:image/png;base64,AA=="]},
            {"model": "jina-clip-v2", "input": [{"image": "data:image/png;base64,AA=="}]},
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/embed", "/v2/embed"])
def test_a_body_is_the_same_job_as_ours(path: str, theirs: Json, ours: Json, snapshot: Snapshot) -> None:
    found = at(path).validate(json.dumps({"model": V3} | theirs).encode(), snapshot)
    expected = Embeddings().validate(json.dumps({"model": V3} | ours).encode(), snapshot)
    for field in ("endpoint", "model", "units", "shape", "parameters", "whole", "storable"):
        assert getattr(found, field) == getattr(expected, field), field


def test_parts_together_are_a_group(snapshot: Snapshot) -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:;base64,Yg=="}}]
    body = {"model": "jina-embeddings-v5-omni-small", "inputs": [{"content": content}]}
    (unit,) = at("/v2/embed").validate(json.dumps(body).encode(), snapshot).units
    assert unit[0].modality is Modality.GROUP
    assert [part.value for part in unit[0].parts] == ["a", "Yg=="]


def embedded(path: str, fields: Json, snapshot: Snapshot, *answers: Answer) -> Json:
    endpoint = at(path)
    job = endpoint.validate(json.dumps({"model": V3, "texts": ["a", "b"]} | fields).encode(), snapshot)
    assert endpoint.stream(job, answers) is None
    return json.loads(endpoint.assemble(job, answers))


def test_vectors_by_type(snapshot: Snapshot) -> None:
    types = ["float", "int8", "uint8", "binary", "ubinary", "base64", "float"]
    reply = embedded("/v2/embed", {"embedding_types": types}, snapshot, dense(0.5, -0.25, 0, 9), dense(1, 0, 0, -1))
    CohereEmbedResponse.model_validate(reply)
    packed = base64.b64encode(np.array([1, 0, 0, -1], "<f4").tobytes()).decode()
    assert reply.pop("embeddings") == {
        "float": [[0.5, -0.25, 0.0, 9.0], [1.0, 0.0, 0.0, -1.0]],
        "int8": [[32, -16, 0, 127], [64, 0, 0, -64]],
        "uint8": [[160, 112, 128, 255], [192, 128, 128, 64]],
        "binary": [[0b1001_0000 - 128], [0b1000_0000 - 128]],
        "ubinary": [[0b1001_0000], [0b1000_0000]],
        "base64": [base64.b64encode(np.array([0.5, -0.25, 0, 9], "<f4").tobytes()).decode(), packed],
    }
    assert reply == {"id": "r-1", "response_type": "embeddings_by_type", "texts": ["a", "b"], "meta": META}


def test_version_1_has_a_bare_list_until_types_are_named(snapshot: Snapshot) -> None:
    bare = embedded("/v1/embed", {}, snapshot, dense(1, 0), dense(0, 1))
    assert (bare["response_type"], bare["embeddings"]) == ("embeddings_floats", [[1.0, 0.0], [0.0, 1.0]])
    assert bare["meta"]["api_version"] == {"version": "1"}
    named = embedded("/v1/embed", {"embedding_types": ["ubinary"]}, snapshot, dense(1, 0), dense(0, 1))
    assert (named["response_type"], named["embeddings"]) == ("embeddings_by_type", {"ubinary": [[128], [64]]})
    assert embedded("/v2/embed", {}, snapshot, dense(1, 0), dense(0, 1))["embeddings"]["float"] == bare["embeddings"]


def test_images_are_counted(snapshot: Snapshot) -> None:
    fields = {"model": "jina-clip-v2", "texts": None, "images": ["data:;base64,YQ=="]}
    reply = embedded("/v2/embed", fields, snapshot, dense(1, 0))
    assert (reply["meta"]["billed_units"], "texts" in reply) == ({"input_tokens": 3, "images": 1}, False)


def test_a_large_reply_comes_in_pieces_with_the_same_bytes(snapshot: Snapshot) -> None:
    endpoint = at("/v2/embed")
    body = {"model": V3, "texts": ["a"] * 600, "embedding_types": ["float", "ubinary"]}
    job = endpoint.validate(json.dumps(body).encode(), snapshot)
    answers = [dense(*np.linspace(-1, 1, 1024) * (at + 1)) for at in range(600)]
    pieces = endpoint.stream(job, answers)
    assert pieces is not None
    made = list(pieces)
    assert len(made) > 2
    whole = b"".join(made)
    assert whole == endpoint.assemble(job, answers)
    assert [len(json.loads(whole)["embeddings"][kind]) for kind in ("float", "ubinary")] == [600, 600]


DOCUMENTS = ["a", {"text": "b", "id": 7}, "c"]


def ranked(path: str, fields: Json, snapshot: Snapshot, sdk: str = "") -> Json:
    endpoint = at(path, sdk)
    body = {"model": OWN, "query": "q", "documents": DOCUMENTS} | fields
    job = endpoint.validate(json.dumps(body).encode(), snapshot)
    ours = {"model": OWN, "query": "q", "documents": ["a", "b", "c"]}
    assert job.units == Rerank().validate(json.dumps(ours).encode(), snapshot).units
    reply = json.loads(endpoint.assemble(job, [score(0.1), score(0.9), score(0.5)]))
    CohereRerankResponse.model_validate(reply)
    return reply


@pytest.mark.parametrize(("path", "sdk", "version"), [("/v2/rerank", "", "2"), ("/v1/rerank", "cohere-ai", "1")])
def test_places(path: str, sdk: str, version: str, snapshot: Snapshot) -> None:
    reply = ranked(path, {"top_n": 2}, snapshot, sdk)
    assert reply == {
        "id": "r-1",
        "results": [{"index": 1, "relevance_score": 0.9}, {"index": 2, "relevance_score": 0.5}],
        "meta": {"api_version": {"version": version}, "billed_units": {"input_tokens": 9}},
    }
    echoed = ranked(path, {"return_documents": True}, snapshot, sdk)["results"]
    assert [place["document"] for place in echoed] == [{"text": "b", "id": 7}, {"text": "c"}, {"text": "a"}]


@pytest.mark.parametrize(
    ("rank_fields", "expected"),
    [(None, "t"), (["title"], "T"), (["title", "text"], "title: T\ntext: t"), (["pages", "none"], "pages: 3")],
)
def test_fields_to_rank_by(rank_fields: list[str] | None, expected: str, snapshot: Snapshot) -> None:
    body = {"model": OWN, "query": "q", "documents": [{"text": "t", "title": "T", "pages": 3}]}
    job = at("/v2/rerank").validate(json.dumps(body | {"rank_fields": rank_fields}).encode(), snapshot)
    assert job.units[0][0].parts[0].value == expected


def test_the_longest_document_where_the_model_has_such_a_bound(snapshot: Snapshot) -> None:
    body = {"model": "jina-reranker-v3", "query": "q", "documents": ["a"], "max_tokens_per_doc": 100}
    job = at("/v2/rerank").validate(json.dumps(body).encode(), snapshot)
    assert ("max_doc_length", 100) in job.parameters


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v2/embed", {"model": V3}, "body"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "images": ["b"]}, "body"),
        ("/v2/embed", {"texts": ["a"]}, "body -> model"),
        ("/v2/embed", {"model": V3, "texts": []}, f"body -> {V3} -> texts"),
        ("/v2/embed", {"model": V3, "texts": ["a", 5]}, "body -> texts -> 1"),
        ("/v2/embed", {"model": V3, "images": ["a", "b"]}, f"body -> {V3} -> images -> 0"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "truncate": "START"}, "body -> truncate"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "embedding_types": []}, "body -> embedding_types"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "embedding_types": ["bit"]}, "body -> embedding_types -> 0"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "output_dimension": 0}, f"body -> {V3} -> output_dimension"),
        ("/v2/embed", {"model": "jina-colbert-v2", "texts": ["a"]}, "body -> model"),
        ("/v2/embed", {"model": V3, "texts": ["a"], "temperature": 1}, "body -> temperature"),
        ("/v2/rerank", {"model": OWN, "query": "q", "documents": []}, "body -> documents"),
        ("/v2/rerank", {"model": OWN, "query": "q", "documents": [{"a": 1}]}, "body -> documents"),
        ("/v2/rerank", {"model": OWN, "query": "q", "documents": ["a"], "top_n": 0}, f"body -> {OWN} -> top_n"),
        (
            "/v2/rerank",
            {"model": OWN, "query": "q", "documents": ["a"], "max_tokens_per_doc": 5},
            f"body -> {OWN} -> max_tokens_per_doc",
        ),
    ],
)
def test_complaints_use_the_clients_words(path: str, body: Json, field: str, snapshot: Snapshot) -> None:
    with pytest.raises(GatewayError) as caught:
        at(path).validate(json.dumps(body).encode(), snapshot)
    assert caught.value.code is Code.INPUT_INVALID
    assert caught.value.errors[0].field.replace("all-MiniLM-L6-v2", OWN) == field


def test_what_is_not_served_is_not_found(snapshot: Snapshot) -> None:
    with pytest.raises(GatewayError) as caught:
        at("/v2/rerank").validate(b'{"model": "no", "query": "q", "documents": ["a"]}', snapshot)
    assert caught.value.code is Code.INPUT_MODEL_NOT_FOUND


def test_lenient_drops_what_the_dialect_lacks(make_snapshot: Callable[..., Snapshot]) -> None:
    lenient = make_snapshot(server={"validation": "lenient"})
    job: Job = at("/v2/embed").validate(json.dumps({"model": V3, "texts": ["a"], "temperature": 1}).encode(), lenient)
    assert job.model == V3


def test_only_coheres_own_clients_get_their_answer_at_the_shared_path() -> None:
    assert front("/v1/rerank", "r", "cohere") is not None
    assert front("/v1/rerank", "r", "other") is None
    assert front("/v1/rerank", "r") is None
    assert front("/v1/embeddings", "r", "cohere") is None
