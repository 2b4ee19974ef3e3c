from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.schemas_replies import EmbeddingResponse
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.vocabulary import Job, Json

V3, V4, COL, ELSER = "jina-embeddings-v3", "jina-embeddings-v4", "jina-colbert-v2", "elser-v2"


def floats(*values: float) -> bytes:
    return np.array(values, dtype="<f4").tobytes()


def dense(*values: float, width: int | None = None, tokens: int = 3) -> Answer:
    return Answer(Shape.DENSE, floats(*values), width or len(values), tokens)


def reply(job: Job, *answers: Answer) -> Json:
    body = json.loads(Embeddings().assemble(job, answers))
    assert (body["model"], body["object"]) == (job.model, "list")
    return body


def test_whole_reply(validate: Callable[..., Job]) -> None:
    job = validate({"model": "small", "input": ["a", "b"]})
    assert json.loads(Embeddings().assemble(job, [dense(1, 0), dense(0.5, -0.25, tokens=4)])) == {
        "model": "all-MiniLM-L6-v2",
        "object": "list",
        "usage": {"total_tokens": 7, "prompt_tokens": 7},
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.0]},
            {"object": "embedding", "index": 1, "embedding": [0.5, -0.25]},
        ],
    }


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("float", [3.0, 4.0, 0.0, -1.0]),
        ("base64", base64.b64encode(floats(3, 4, 0, -1)).decode()),
        ("binary", [0b1100_0000 - 128]),
        ("ubinary", [0b1100_0000]),
        (["ubinary", "float"], {"ubinary": [0b1100_0000], "float": [3.0, 4.0, 0.0, -1.0]}),
    ],
)
def test_encodings(types: Json, expected: Json, validate: Callable[..., Job]) -> None:
    job = validate({"model": V3, "input": "a", "encoding_format": types})
    assert reply(job, dense(3, 4, 0, -1))["data"][0]["embedding"] == expected


@pytest.mark.parametrize(("normalized", "expected"), [(True, floats(0.6, 0.8)), (False, floats(3, 4))])
def test_fewer_dimensions(*, normalized: bool, expected: bytes, validate: Callable[..., Job]) -> None:
    fields = {"dimensions": 2, "normalized": normalized, "embedding_type": "base64"}
    job = validate({"model": V3, "input": ["a", "b"], **fields})
    data = reply(job, dense(3, 4, 12), dense(3, 4, -5))["data"]
    assert [base64.b64decode(element["embedding"]) for element in data] == [expected] * 2


def test_float32_is_written_with_its_shortest_digits(validate: Callable[..., Job]) -> None:
    body = Embeddings().assemble(validate({"model": V3, "input": "a"}), [dense(0.1, 0.2)])
    assert b"[0.1,0.2]" in body


def test_pages_of_a_pdf_are_elements(validate: Callable[..., Job]) -> None:
    job = validate({"model": V4, "input": {"pdf": "aGk="}})
    data = reply(job, dense(1, 2, 3, 4, 5, 6, width=2))["data"]
    assert [(element["index"], element["embedding"]) for element in data] == [
        (0, [1.0, 2.0]),
        (1, [3.0, 4.0]),
        (2, [5.0, 6.0]),
    ]


def test_a_late_chunked_list_is_one_answer_with_a_row_an_input(validate: Callable[..., Job]) -> None:
    job = validate({"model": V3, "input": ["a", "b"], "late_chunking": True})
    body = reply(job, dense(1, 2, 3, 4, width=2, tokens=9))
    assert [element["embedding"] for element in body["data"]] == [[1.0, 2.0], [3.0, 4.0]]
    assert body["usage"]["total_tokens"] == 9


def test_answers_of_different_width_keep_their_order(validate: Callable[..., Job]) -> None:
    job = validate({"model": V3, "input": ["a", "b", "c"]})
    data = reply(job, dense(1, 2), dense(3), dense(4, 5))["data"]
    assert [element["embedding"] for element in data] == [[1.0, 2.0], [3.0], [4.0, 5.0]]
    assert [element["index"] for element in data] == [0, 1, 2]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("float", [[1.0, 2.0], [3.0, -4.0]]),
        ("base64", [base64.b64encode(floats(1, 2)).decode(), base64.b64encode(floats(3, -4)).decode()]),
        ("ubinary", [[0b1100_0000], [0b1000_0000]]),
        (["float"], {"float": [[1.0, 2.0], [3.0, -4.0]]}),
    ],
)
def test_a_vector_a_token(types: Json, expected: Json, validate: Callable[..., Job]) -> None:
    job = validate({"model": COL, "input": ["a", "b"], "embedding_type": types})
    first = Answer(Shape.MULTI, floats(1, 2, 3, -4), 2, 2, extra=b'["he","llo"]')
    second = Answer(Shape.MULTI, floats(1, 2), 2, 1)
    data = reply(job, first, second)["data"]
    assert data[0] == {"object": "embeddings", "index": 0, "embeddings": expected, "tokenized_input": ["he", "llo"]}
    assert set(data[1]) == {"object", "index", "embeddings"}


def test_sparse(validate: Callable[..., Job]) -> None:
    job = validate({"model": ELSER, "input": ["a", "b"]})
    body = reply(job, *(Answer(Shape.SPARSE, payload, 0, 4) for payload in (b'{"cat":1.5}', b'{"dog":0.25}')))
    assert body["data"] == [{"cat": 1.5}, {"dog": 0.25}]
    assert body["usage"] == {"total_tokens": 8, "input_tokens": 8, "output_tokens": 0}


def test_verbatim(validate: Callable[..., Job]) -> None:
    job = validate({"model": V4, "input": ["a"], "late_chunking": True, "return_multivector": True})
    data = [{"object": "embeddings", "index": 0, "embeddings": [[1.0]]}]
    assert reply(job, Answer(Shape.VERBATIM, json.dumps(data).encode(), 0, 4))["data"] == data


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"model": V3, "input": "a"}, dense(1, 2)),
        ({"model": V3, "input": "a", "embedding_type": "base64"}, dense(1, 2)),
        ({"model": COL, "input": "a"}, Answer(Shape.MULTI, floats(1, 2), 2, 1)),
        ({"model": ELSER, "input": "a"}, Answer(Shape.SPARSE, b'{"cat":1.5}', 0, 4)),
    ],
)
def test_replies_fit_the_contracts_schema(body: Json, answer: Answer, validate: Callable[..., Job]) -> None:
    EmbeddingResponse.model_validate_json(Embeddings().assemble(validate(body), [answer]), strict=True)
