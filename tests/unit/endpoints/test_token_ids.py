from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.catalogue.model import Tokenizer
from gateway.catalogue.registry import LOCAL_MODEL
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.token_ids import is_ids, texts_of
from gateway.errors import Code, GatewayError
from gateway.tokens.ids import id_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

TEXTS = ["The harvest was late this year, and nobody knew why.", "Bread", "日本語 🚀 and more"]
LONG = "Every word of a long text is spelt with some ids, and the last of them may be cut. " * 20


def ids(text: str, name: Tokenizer = Tokenizer.CL100K) -> list[int]:
    vocabulary = id_vocabulary(name)
    assert vocabulary is not None
    return vocabulary.encode(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], True),
        ([[1, 2], [3]], True),
        ([], False),
        ([[]], False),
        ([[1], []], False),
        (["a"], False),
        ([1, "a"], False),
        ([[1], "a"], False),
        ([1, True], False),
        ([1.0], False),
        ("a", False),
        (None, False),
    ],
)
def test_what_ids_look_like(value: Json, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_ids(value) is expected


def test_ids_are_the_same_items_as_their_texts(make_snapshot: Callable[..., Snapshot]) -> None:
    endpoint, snapshot = Embeddings(id_vocabulary), make_snapshot()

    def units(value: Json) -> Any:
        return endpoint.validate(json.dumps({"model": "small", "input": value, "user": "me"}).encode(), snapshot).units

    assert units([ids(text) for text in TEXTS]) == units(TEXTS)
    assert units(ids(TEXTS[0])) == units(TEXTS[0])
    assert units([ids(LONG)[:100]])[0][0].parts[0].value == LONG[: len(units([ids(LONG)[:100]])[0][0].parts[0].value)]


def test_a_models_own_vocabulary_where_the_config_says_so() -> None:
    native = replace(LOCAL_MODEL, token_ids=Tokenizer.MINILM)
    rows = [[101, *ids(text.lower(), Tokenizer.MINILM), 102, 0, 0] for text in TEXTS[:2]]
    assert [text.split()[0] for text in texts_of(rows, native, id_vocabulary)] == ["the", "bread"]


@pytest.mark.parametrize(
    ("value", "where", "why"),
    [
        ([[101, *ids(TEXTS[0].lower(), Tokenizer.MINILM), 102]], "input", "would not make these"),
        ([ids(text, Tokenizer.MINILM) for text in (*TEXTS[:2], LONG)], "input", "would not make these"),
        ([ids(TEXTS[0]), [15, 300_000]], "input -> 1", "has not all"),
        ([-1], "input -> 0", "has not all"),
    ],
    ids=["marks", "words", "beyond", "negative"],
)
def test_ids_of_another_vocabulary_are_refused(value: Json, where: str, why: str) -> None:
    with pytest.raises(GatewayError) as caught:
        texts_of(value, LOCAL_MODEL, id_vocabulary)
    (error,) = caught.value.errors
    assert (caught.value.code, error.field) == (Code.INPUT_INVALID, f"body -> {LOCAL_MODEL.name} -> {where}")
    assert f"'cl100k_base' {why}" in error.message
    assert "check_embedding_ctx_length=False" in error.message
    assert f"models.{LOCAL_MODEL.name}.token_ids" in error.message


def test_the_rest_of_a_long_text_may_begin_anywhere() -> None:
    cut = ids("🚀 x")[1:]
    long = (ids(LONG) * 3)[:600]
    assert texts_of([long, cut], LOCAL_MODEL, id_vocabulary)[1].endswith(" x")
    for alone in ([cut], [ids(TEXTS[0]), cut]):
        with pytest.raises(GatewayError):
            texts_of(alone, LOCAL_MODEL, id_vocabulary)


def test_marks_are_no_reason_to_refuse() -> None:
    assert texts_of([[*ids(TEXTS[0]), 100_257]], LOCAL_MODEL, id_vocabulary) == [TEXTS[0] + "<|endoftext|>"]


def test_no_more_than_64_wrong_ids_are_named() -> None:
    with pytest.raises(GatewayError) as caught:
        texts_of([[-1]] * 100, LOCAL_MODEL, id_vocabulary)
    assert len(caught.value.errors) == 64
