"""Exchanges after the servers' sources; none of them was recorded here."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from gateway.backends.tokenizing import tokenize, tokens_of
from gateway.ports import RawReply

ASKED = [
    ("vllm", {"model": "m", "prompt": "a b"}),
    ("tei", {"inputs": "a b"}),
    ("llamacpp", {"content": "a b", "add_special": True}),
]


@pytest.mark.parametrize(("dialect", "body"), ASKED)
def test_the_text_is_sent_as_the_server_calls_it(dialect: str, body: dict[str, Any]) -> None:
    exchange = tokenize(dialect, "m", "a b", "k")
    assert exchange is not None
    assert (exchange.method, exchange.path) == ("POST", "/tokenize")
    assert orjson.loads(exchange.body) == body
    assert exchange.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize("dialect", ["jina", "openai", "azure", "cohere", "infinity", "ollama"])
def test_who_has_no_such_route_is_not_asked(dialect: str) -> None:
    assert tokenize(dialect, "m", "a", None) is None


TOLD = [
    ("vllm", {"count": 4, "max_model_len": 512, "tokens": [101, 1037, 1038, 102]}, 4),
    ("vllm", {"count": "4"}, None),
    ("vllm", [4], None),
    ("tei", [[{"id": 101, "text": "[CLS]", "special": True}, {"id": 1037, "text": "a"}]], 2),
    ("tei", [], None),
    ("tei", {"error": "no"}, None),
    ("llamacpp", {"tokens": [1, 2, 3]}, 3),
    ("llamacpp", {"tokens": None}, None),
]


@pytest.mark.parametrize(("dialect", "body", "count"), TOLD)
def test_tokens_are_counted(dialect: str, body: Any, count: int | None) -> None:
    assert tokens_of(dialect, RawReply(200, {}, json.dumps(body).encode())) == count
    assert tokens_of(dialect, RawReply(404, {}, json.dumps(body).encode())) is None
    assert tokens_of(dialect, RawReply(200, {}, b"<html>")) is None
