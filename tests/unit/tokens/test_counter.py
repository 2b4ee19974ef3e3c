from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Original

import gateway
from gateway.catalogue.model import Tokenizer
from gateway.tokens.bound import utf8_length
from gateway.tokens.counter import load

if TYPE_CHECKING:
    from gateway.tokens.counter import Counter

FILE = Path(gateway.__file__).parent / "processes" / "local_model" / "tokenizer.json"
COUNTERS = load(Tokenizer)
ORIGINAL = Original.from_file(str(FILE))
ORIGINAL.no_padding()
ORIGINAL.no_truncation()


def count(tokenizer: Tokenizer, text: str) -> int:
    found = COUNTERS[tokenizer].count([text])
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("tokenizer", "text", "tokens"),
    [
        (Tokenizer.CL100K, "hello world", 2),
        (Tokenizer.CL100K, "<|endoftext|>", 7),
        (Tokenizer.CL100K, "", 0),
        (Tokenizer.CL100K, "1234567", 3),
        (Tokenizer.QWEN35, "1234567", 7),
        (Tokenizer.O200K, "hello world", 2),
        (Tokenizer.MINILM, "hello world", 2),
        (Tokenizer.MINILM, "", 0),
        (Tokenizer.MINILM, "word " * 300, 300),
    ],
)
def test_known_counts(tokenizer: Tokenizer, text: str, tokens: int) -> None:
    assert count(tokenizer, text) == tokens


@given(st.text(max_size=200))
def test_the_local_models_count_is_that_of_its_file_without_special_tokens(text: str) -> None:
    assert count(Tokenizer.MINILM, text) + 2 == len(ORIGINAL.encode(text).ids)


@pytest.mark.parametrize("counter", COUNTERS.values(), ids=COUNTERS)
@given(texts=st.lists(st.text(), max_size=5))
def test_no_tokenizer_spends_less_than_a_byte_on_a_token(counter: Counter, texts: list[str]) -> None:
    counts = counter.count(texts)
    assert counts is not None
    assert all(found <= utf8_length(text) for found, text in zip(counts, texts, strict=True))


@pytest.mark.parametrize("tokenizer", Tokenizer)
def test_what_is_no_unicode_is_not_counted(tokenizer: Tokenizer) -> None:
    assert COUNTERS[tokenizer].count(["fine", "\ud800"]) is None


def test_without_the_extra_the_local_models_tokens_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert set(load([Tokenizer.MINILM, Tokenizer.CL100K])) == {Tokenizer.CL100K}
