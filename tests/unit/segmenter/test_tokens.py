from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.segmenter.tokens import encode, pairs, specials_among, spelled, without_specials

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "<|end|>"


class Bytes:
    """A token is a pair of bytes, or what is left of one; marks are beyond all of these."""

    def __init__(self, specials: Mapping[str, int] = MappingProxyType({MARK: 999_999, MARK * 2: 999_998})) -> None:
        self.specials = specials

    def encode(self, text: str) -> list[int]:
        data = text.encode()
        return [int.from_bytes(b"\1" + data[at : at + 2]) for at in range(0, len(data), 2)]

    def spell(self, token: int) -> bytes:
        return token.to_bytes(3).lstrip(b"\0")[1:]


PLAIN = Bytes()


def test_marks_are_one_token_each_and_the_longest_wins() -> None:
    assert encode(f"{MARK}{MARK}{MARK}", PLAIN) == [999_998, 999_999]
    assert encode(f"ab{MARK}", PLAIN) == [*PLAIN.encode("ab"), 999_999]
    assert encode(f"ab{MARK}", Bytes({})) == PLAIN.encode(f"ab{MARK}")
    assert encode("", PLAIN) == []


def test_marks_are_told_apart() -> None:
    ids = encode(f"a{MARK}b{MARK}", PLAIN)
    assert specials_among(ids, PLAIN) == [(MARK, [999_999])] * 2
    assert pairs(without_specials(ids, PLAIN), PLAIN) == [("a", PLAIN.encode("a")), ("b", PLAIN.encode("b"))]


def test_ids_within_a_character_go_with_the_one_that_completes_it() -> None:
    one, two = PLAIN.encode("🚀")
    assert pairs([one, two], PLAIN) == [("🚀", [one, two])]
    before, within, after = PLAIN.encode("a🚀b")
    assert pairs([before, within, after], PLAIN) == [("a", [before]), ("🚀b", [within, after])]


@pytest.mark.parametrize(("ids", "expected"), [(slice(1), "\ufffd"), (slice(1, None), "\ufffd\ufffd")])
def test_a_character_that_is_cut_off_is_replaced(ids: slice, expected: str) -> None:
    kept = PLAIN.encode("🚀")[ids]
    assert pairs(kept, PLAIN) == [(expected, kept)]


@given(st.text())
def test_pairs_spell_the_text_and_have_all_ids(text: str) -> None:
    ids = PLAIN.encode(text)
    found = pairs(ids, PLAIN)
    assert "".join(shown for shown, _ in found) == text
    assert [token for _, group in found for token in group] == ids
    assert spelled(ids, PLAIN) == len(text)


@given(st.lists(st.sampled_from(["a", "é", "検", "🚀", MARK])).map("".join), st.integers(0, 30))
def test_whole_characters_are_counted_from_both_ends(text: str, count: int) -> None:
    ids = encode(text, PLAIN)
    head, tail = spelled(ids[:count], PLAIN), spelled(ids[count:], PLAIN)
    assert len(text) - 1 <= head + tail <= len(text)
