from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.segmenter import Wanted, segment
from gateway.tokens.vocabularies import NAMES, vocabulary

LINES = (
    "\n  Chunks are cut here, by the looks of the text! 🚀"
    "\n  Zeichen werden richtig gezählt! 🚀"
    "\n  位置以代码单元计算，很准！🚀"  # noqa: RUF001 - Chinese
    "\n"
)
"""Of the form of the API's published example: what is expected below was seen there."""


def asked(content: str, tokenizer: str = "cl100k_base", **more: Any) -> dict[str, Any]:
    return segment(Wanted(content, tokenizer, **more), vocabulary(tokenizer))


def test_counting_alone_says_three_things() -> None:
    assert asked("hello world") == {"num_tokens": 2, "tokenizer": "cl100k_base", "usage": {"tokens": 0}}


def test_the_published_behaviour() -> None:
    reply = asked(LINES, return_chunks=True, return_tokens=True)
    assert list(reply) == ["num_tokens", "tokenizer", "usage", "num_chunks", "chunk_positions", "tokens", "chunks"]
    assert reply["num_chunks"] == 3
    first = reply["chunks"][0]
    assert (first[:6], first[-4:]) == ("Chunks", "🚀\n  "), "white space behind a chunk is its own, in front is not"
    assert (len(first), reply["chunk_positions"][0]) == (51, [3, 55]), "52 UTF-16 units are 51 characters"
    assert reply["tokens"][0][-4:] == [(" ", [11410]), ("🚀", [248, 222]), ("\n", [198]), ("  ", [256])]
    counted = sum(len(ids) for chunk in reply["tokens"] for _, ids in chunk)
    assert (reply["num_tokens"], counted) == (50, 46), "those of the whole text, not of the chunks"


def test_positions_are_those_of_the_text_in_utf_16() -> None:
    reply = asked(LINES, return_chunks=True)
    units = LINES.encode("utf-16-le")
    found = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in reply["chunk_positions"]]
    assert found == reply["chunks"]
    assert "tokens" not in reply


TEXT = "One two three. Four five six."

ENDS: list[tuple[dict[str, Any], list[str]]] = [
    ({"head": 2}, ["One", " two"]),
    ({"tail": 2}, [" six", "."]),
    ({"head": 99}, ["One", " two", " three", ".", " Four", " five", " six", "."]),
    ({"tail": 99}, ["One", " two", " three", ".", " Four", " five", " six", "."]),
]


@pytest.mark.parametrize(("ends", "expected"), ENDS)
def test_an_end_shows_so_many_tokens_and_counts_all(ends: dict[str, Any], expected: list[str]) -> None:
    reply = asked(TEXT, **ends)
    assert [text for text, _ in reply["tokens"][0]] == expected
    assert reply["num_tokens"] == 8


@pytest.mark.parametrize(
    ("ends", "chunk", "position"), [({"head": 2}, "One two", [0, 7]), ({"tail": 3}, "five six.", [20, 29])]
)
def test_an_end_may_be_cut_into_chunks(ends: dict[str, Any], chunk: str, position: list[int]) -> None:
    reply = asked(TEXT, return_chunks=True, **ends)
    assert (reply["chunks"], reply["chunk_positions"]) == ([chunk], [position])
    assert "".join(text for text, _ in reply["tokens"][0]) == chunk


def test_special_tokens_are_apart() -> None:
    reply = asked("a<|endoftext|>b<|fim_middle|>", return_tokens=True)
    assert reply["num_tokens"] == 4
    assert reply["tokens"] == [[("a", [64]), ("b", [65])]]
    assert reply["special_tokens"] == [("<|endoftext|>", [100257]), ("<|fim_middle|>", [100259])]
    cut = asked("a<|endoftext|>b<|fim_middle|>", return_tokens=True, return_chunks=True)
    assert cut["tokens"] == reply["tokens"]
    assert cut["special_tokens"] == reply["special_tokens"]


def test_special_tokens_are_those_of_the_tokenizer() -> None:
    assert "special_tokens" not in asked("a<|fim_middle|>", "gpt2")
    assert asked("a<|fim_middle|>", "p50k_edit")["special_tokens"] == [("<|fim_middle|>", [50282])]


@settings(max_examples=50, deadline=None)  # the first of each loads its vocabulary
@given(st.text(st.sampled_from("ab. \n🚀検é!") | st.characters(exclude_categories=["Cs"])), st.sampled_from(NAMES))
def test_the_tokens_of_each_chunk_spell_it(text: str, name: str) -> None:
    reply = asked(text, name, return_chunks=True, return_tokens=True, max_chunk_length=20)
    assert ["".join(shown for shown, _ in chunk) for chunk in reply["tokens"]] == reply["chunks"]
    units = text.encode("utf-16-le")
    found = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in reply["chunk_positions"]]
    assert found == reply["chunks"]
    assert all(len(chunk.encode("utf-16-le")) <= 40 for chunk in reply["chunks"])
