from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.endpoints.segment import read_body, read_query
from gateway.errors import Code, GatewayError
from gateway.segmenter import Wanted

DEFAULT = "cl100k_base"

BODIES: list[tuple[dict[str, Any], Wanted]] = [
    ({"content": "a"}, Wanted("a", DEFAULT)),
    ({"content": ""}, Wanted("", DEFAULT)),
    ({"content": "a", "tokenizer": "gpt2"}, Wanted("a", "gpt2")),
    ({"content": "a", "head": None, "tokenizer": None}, Wanted("a", DEFAULT)),
    (
        {"content": "a", "return_tokens": True, "return_chunks": True, "max_chunk_length": 5, "head": 3},
        Wanted("a", DEFAULT, return_tokens=True, return_chunks=True, max_chunk_length=5, head=3),
    ),
    (
        {"content": "a", "return_chunks": "true", "max_chunk_length": "1200", "tail": 2},
        Wanted("a", DEFAULT, return_chunks=True, max_chunk_length=1200, tail=2),
    ),
    ({"content": "🚀" * 65_536}, Wanted("🚀" * 65_536, DEFAULT)),
]


@pytest.mark.parametrize(("body", "wanted"), BODIES, ids=range(len(BODIES)))
def test_what_a_body_wants(body: dict[str, Any], wanted: Wanted) -> None:
    assert read_body(orjson.dumps(body), lenient=False) == wanted


WRONG: list[tuple[dict[str, Any], str, str, object]] = [
    ({}, "body -> content", "missing", None),
    ({"content": 3}, "body -> content", "string_type", 3),
    ({"content": ["a"]}, "body -> content", "string_type", None),
    ({"content": "a" * 65_537}, "body -> content", "string_too_long", "a" * 200),
    ({"content": "a", "tokenizer": "llama"}, "body -> tokenizer", "literal_error", "llama"),
    ({"content": "a", "return_tokens": "perhaps"}, "body -> return_tokens", "bool_parsing", "perhaps"),
    ({"content": "a", "max_chunk_length": 0}, "body -> max_chunk_length", "greater_than_equal", 0),
    ({"content": "a", "max_chunk_length": 10**9}, "body -> max_chunk_length", "less_than_equal", 10**9),
    ({"content": "a", "head": -1}, "body -> head", "greater_than_equal", -1),
    ({"content": "a", "head": 1, "tail": 1}, "body", "value_error", None),
    ({"content": "a", "text": "b"}, "body -> text", "extra_forbidden", "b"),
]


@pytest.mark.parametrize(("body", "field", "kind", "echo"), WRONG, ids=range(len(WRONG)))
def test_what_a_body_may_not_be(body: dict[str, Any], field: str, kind: str, echo: object) -> None:
    with pytest.raises(GatewayError) as caught:
        read_body(orjson.dumps(body), lenient=False)
    assert caught.value.code is Code.INPUT_INVALID
    assert [(error.field, error.type, error.input) for error in caught.value.errors] == [(field, kind, echo)]


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b'{"content": "\\ud800"}', b"\xff"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        read_body(body, lenient=True)
    assert caught.value.code is Code.INPUT_INVALID


def test_lenient_drops_what_does_not_exist() -> None:
    assert read_body(b'{"content": "a", "text": "b"}', lenient=True) == Wanted("a", DEFAULT)


def test_a_query_counts() -> None:
    assert read_query({"content": "a b", "tokenizer": "gpt2"}) == Wanted("a b", "gpt2")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, ["query -> content"]),
        ({"content": "a", "return_chunks": "true", "head": "1"}, ["query -> return_chunks", "query -> head"]),
        ({"content": "a", "tokenizer": "x"}, ["query -> tokenizer"]),
    ],
)
def test_a_query_can_do_no_more(query: dict[str, str], fields: list[str]) -> None:
    with pytest.raises(GatewayError) as caught:
        read_query(query)
    assert [error.field for error in caught.value.errors] == fields
