from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.segmenter.blocks import LINE
from gateway.segmenter.positions import Units
from gateway.segmenter.sentences import END, parts, sentences

TABLE = [
    ("One", ["One"]),
    ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
    ("One.\n\n  Two.", ["One.", "Two."]),
    ("He said 'no.' She went.", ["He said 'no.'", "She went."]),
    ("(It is so.) But why?! Well…", ["(It is so.)", "But why?!", "Well…"]),
    ("Pi is 3.14. So it is.", ["Pi is 3.14.", "So it is."]),
    ("See e.g. the rest.", ["See e.g. the rest."]),
    ("Dr. Who met J. Doe. They spoke.", ["Dr. Who met J. Doe.", "They spoke."]),
    ("Is it Mr? Yes.", ["Is it Mr?", "Yes."]),
    ("www.example.org is one", ["www.example.org is one"]),
    ("早い。遅い！本当？「はい。」次", ["早い。", "遅い！", "本当？", "「はい。」", "次"]),  # noqa: RUF001 - Japanese
    ("यह है। वह है।", ["यह है।", "वह है।"]),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_sentence_ends_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text, 0, len(text))] == expected


PARTS = [
    ("aaa bbb ccc", 7, ["aaa bbb", "ccc"]),
    ("aaa, bbb ccc ddd", 12, ["aaa,", "bbb ccc ddd"]),
    ("aaaaaaaaaa", 4, ["aaaa", "aaaa", "aa"]),
    ("a 1,000 b", 6, ["a", "1,000", "b"]),
    ("aaa     bbb", 5, ["aaa", "bbb"]),
    ("🚀🚀🚀", 3, ["🚀", "🚀", "🚀"]),
    ("🚀🚀", 1, ["🚀", "🚀"]),
    ("abcde\u0301f", 5, ["abcd", "e\u0301f"]),
    ("ab👩\u200d🚀c", 5, ["ab", "👩\u200d🚀", "c"]),
    ("ab👍🏽", 5, ["ab", "👍🏽"]),
    ("ab1\ufe0f\u20e3", 4, ["ab", "1\ufe0f\u20e3"]),
    ("a " + "b" * 300, 200, ["a " + "b" * 198, "b" * 102]),
    ("\u0301" * 5, 2, ["\u0301" * 2, "\u0301" * 2, "\u0301"]),
]


@pytest.mark.parametrize(("text", "limit", "expected"), PARTS)
def test_what_is_too_long_is_cut_at_the_best_place(text: str, limit: int, expected: list[str]) -> None:
    found = parts(text, Units(text), (0, len(text)), limit)
    assert [text[start:end] for start, end in found] == expected


@given(st.sampled_from(".!?…。！？।"), st.text(st.sampled_from(".!?\"') a\n。」")))  # noqa: RUF001 - ends of sentences
def test_no_match_that_has_begun_fails(first: str, rest: str) -> None:
    """So no character is looked at twice, and a search takes time linear in the text's length."""
    assert END.match(first + rest)
    assert LINE.match(rest)
    for pattern in (END.pattern, LINE.pattern):
        assert pattern.count("+") + pattern.count("*") == 2 * pattern.count("++") + 2 * pattern.count(
            "*+"
        ) + pattern.count("?+")
