from __future__ import annotations

from typing import Any

import orjson
import pytest
from fakes.gateway import configured, snapshot_of

from gateway.errors import GatewayError
from gateway.jobs.lines import Line, answered, call_body, keep, kept, refused, without

MODEL = "jina-embeddings-v5-text-nano"


def read(*texts: bytes | str) -> list[Line]:
    content = b"".join(keep(at, text if isinstance(text, bytes) else text.encode()) for at, text in enumerate(texts, 1))
    return kept(content, MODEL, {"task": "text-matching"}, snapshot_of(configured()))


def test_good_lines_are_their_input() -> None:
    found = read(
        '{"custom_id": "a", "body": {"input": "é"}}',
        '{"body": {"input": {"text": "b"}, "model": "jina-embeddings-v5-text-nano"}}',
        '{"custom_id": "c", "method": "POST", "url": "/v1/embeddings", "body": {"input": ""}}',
    )
    assert found == [Line(1, "a", "é"), Line(2, None, {"text": "b"}), Line(3, "c", "")]


BAD = [
    ("{", None, "JSON decode error"),
    ("[1]", None, "valid dictionary"),
    (b'{"body": "\xff"}', None, "not UTF-8"),
    ('{"custom_id": 7, "body": {"input": "a"}}', None, "custom_id"),
    ('{"custom_id": "' + "a" * 513 + '", "body": {"input": "a"}}', None, "custom_id"),
    ('{"custom_id": "a"}', "a", "body"),
    ('{"custom_id": "a", "body": "b"}', "a", "body"),
    ('{"custom_id": "a", "body": {}}', "a", "body -> input"),
    ('{"custom_id": "a", "body": {"input": ["b"]}}', "a", "one input"),
    ('{"custom_id": "a", "body": {"input": 5}}', "a", "a string or an object"),
    ('{"custom_id": "a", "body": {"input": {"image": "b"}}}', "a", "input -> 0"),
    ('{"custom_id": "a", "body": {"input": "b", "task": "x"}}', "a", "body -> task"),
    ('{"custom_id": "a", "body": {"input": "b", "model": "jina-embeddings-v3"}}', "a", "model"),
    ('{"custom_id": "a", "inputs": "b"}', "a", "line -> inputs"),
]


@pytest.mark.parametrize(("text", "custom_id", "said"), BAD, ids=range(len(BAD)))
def test_bad_lines_are_named_and_say_why(text: Any, custom_id: str | None, said: str) -> None:
    (line,) = read(text)
    assert (line.number, line.custom_id, line.item) == (1, custom_id, None)
    assert isinstance(line.error, GatewayError)
    assert said in line.error.message
    shown = orjson.loads(refused(line, line.error, "batch_1.0"))
    assert shown == {
        "custom_id": custom_id,
        "line": 1,
        "error": {"detail": line.error.message, "code": "INPUT_INVALID", "request_id": "batch_1.0"},
    }


def test_a_line_that_is_not_kept_says_why() -> None:
    (line,) = kept(without(9, "is longer than a request may be"), MODEL, {}, snapshot_of(configured()))
    assert line.error is not None
    assert (line.number, line.error.message) == (9, "Validation error: 'line' is longer than a request may be")


def test_a_call_says_only_what_is_given() -> None:
    body = orjson.loads(call_body(MODEL, {"task": "clustering", "dimensions": None, "normalized": False}, ["a"]))
    assert body == {"model": MODEL, "input": ["a"], "task": "clustering", "normalized": False}


def test_an_answered_line_looks_like_a_reply() -> None:
    assert orjson.loads(answered(Line(3, "a", "x"), MODEL, [0.5])) == {
        "custom_id": "a",
        "line": 3,
        "response": {
            "status_code": 200,
            "body": {
                "model": MODEL,
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
            },
        },
    }
