from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.segmenter.chunks import chunks
from gateway.segmenter.positions import Units

if TYPE_CHECKING:
    from types import FrameType

TABLE = [
    ("", 10, []),
    (" \n ", 10, []),
    ("\n\n  One.\n\n  Two.\n", 10, ["One.\n\n  ", "Two.\n"]),
    ("One. Two. Three. Four.", 11, ["One. Two. ", "Three. ", "Four."]),
    ("One. Two." + " " * 20 + "Three.", 11, ["One. Two.  ", "Three."]),
    ("```\naaaa\nbbbb\ncccc\n```", 10, ["```\naaaa\n", "bbbb\ncccc\n", "```"]),
    ("abcdefgh ijkl", 5, ["abcde", "fgh ", "ijkl"]),
]


def cut(text: str, limit: int) -> list[str]:
    return [text[start:end] for start, end in chunks(text, Units(text), limit, (0, len(text)))]


@pytest.mark.parametrize(("text", "limit", "expected"), TABLE)
def test_chunks_are_blocks_or_what_fits_of_them(text: str, limit: int, expected: list[str]) -> None:
    assert cut(text, limit) == expected


WORDS = st.sampled_from(
    ["word", "Word", ". ", "! ", "。", "\n", "\n\n", "  ", "- ", "# ", "```\n", "|", "> ", "🚀", "e\u0301", ","]
)
TEXTS = st.lists(WORDS | st.text(max_size=5), max_size=80).map("".join)


@given(TEXTS, st.integers(1, 60))
def test_chunks_cover_the_text_in_order_and_keep_the_limit(text: str, limit: int) -> None:
    units = Units(text)
    at = 0
    for start, end in chunks(text, units, limit, (0, len(text))):
        assert start < end
        assert not text[at:start].strip(), "only white space is in no chunk"
        assert not text[start].isspace()
        assert units.width(start, end) <= limit or end - start == 1
        at = end
    assert not text[at:].strip()


HOSTILE = {
    "one letter": "a",
    "newlines": "\n",
    "a letter among newlines": "a" + "\n" * 49,
    "spaces between letters": "a" + " " * 99,
    "emoji": "🚀",
    "joined emoji": "👩\u200d",
    "small sentences": "a. ",
    "sentences": "A. ",
    "full stops": ".",
    "full stops and spaces": ". ",
    "quotes": '."',
    "wide": "。",
    "brackets": "([{",
    "fences": "```\n",
    "marks": "\u0301",
    "items": "- a\n",
    "rows": "|\n",
    "quoted": "> a\n",
    "underlines": "a\n==\n",
    "wrapped": "a" * 60 + "\n",
    "commas": "a, ",
    "specials": "<|endoftext|>",
}
LENGTH = 65_536


def work(text: str, limit: int) -> int:
    """Lines of Python that are run."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> object:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type] # typeshed wants a protocol of its own
    try:
        cut(text, limit)
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_length_and_no_faster(name: str, limit: int) -> None:
    unit = HOSTILE[name]
    short, long = (unit * (length // len(unit)) for length in (4_000, 16_000))
    assert work(long, limit) <= 4.4 * work(short, limit) + 200


@pytest.mark.parametrize("name", HOSTILE)
def test_the_longest_hostile_text_is_cut(name: str) -> None:
    unit = HOSTILE[name]
    text = (unit * LENGTH)[:LENGTH]
    found = cut(text, 1_000)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(chunk.encode("utf-16-le")) <= 2_000 for chunk in found)
