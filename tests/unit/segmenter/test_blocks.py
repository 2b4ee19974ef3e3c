from __future__ import annotations

import pytest

from gateway.segmenter.blocks import blocks

LONG = "this line goes on for long enough to have been wrapped"

TABLE = [
    ("", []),
    (" \n\t\n", []),
    ("one", ["one"]),
    ("one\ntwo", ["one", "two"]),
    ("  one  \r\n  two", ["one", "two"]),
    ("# Title\ntext below", ["# Title", "text below"]),
    ("Title\n=====\ntext", ["Title\n=====", "text"]),
    ("Title\n\n=====", ["Title", "====="]),
    (f"{LONG}\nand here is its end\n\nnext", [f"{LONG}\nand here is its end", "next"]),
    (f"{LONG}.\nand here is another", [f"{LONG}.", "and here is another"]),
    (f"{LONG}\nAnd here is another", [LONG, "And here is another"]),
    ("short\nwords", ["short", "words"]),
    ("- one\n- two\n  more of two\n- three", ["- one", "- two\n  more of two", "- three"]),
    ("1. one\n2. two\nno item", ["1. one", "2. two", "no item"]),
    (f"- {LONG},\nand on", [f"- {LONG},\nand on"]),
    ("a) one\nb) two", ["a) one", "b) two"]),
    ("> one\n> two\n\n> three", ["> one\n> two", "> three"]),
    ("| a | b |\n|---|---|\n| 1 | 2 |\nafter", ["| a | b |\n|---|---|\n| 1 | 2 |", "after"]),
    ("say:\n```py\nx = 1\n\n# no title\n```\nafter", ["say:", "```py\nx = 1\n\n# no title\n```", "after"]),
    ("```\nnever closed\n\nx", ["```\nnever closed\n\nx"]),
    ("```all in one```\nafter", ["```all in one```", "after"]),
    ("$$\na\n$$\nb", ["$$\na\n$$", "b"]),
    ("<h2>T</h2>\ntext", ["<h2>T</h2>", "text"]),
    ("one\u2028two\rthree", ["one", "two", "three"]),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_lines_that_belong_together_are_one_block(text: str, expected: list[str]) -> None:
    assert [text[block.start : block.end] for block in blocks(text, 0, len(text))] == expected


def test_only_code_and_tables_are_cut_by_lines() -> None:
    text = "# a\n\nb\n\n- c\n\n> d\n\n| e |\n\n```\nf\n```"
    assert [block.by_lines for block in blocks(text, 0, len(text))] == [False, False, False, False, True, True]


def test_what_lies_outside_is_not_looked_at() -> None:
    text = "one\ntwo\nthree"
    assert [text[block.start : block.end] for block in blocks(text, 1, 9)] == ["ne", "two", "t"]
