from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.segmenter.positions import Units


@pytest.mark.parametrize(
    ("text", "offsets"),
    [("", [0]), ("abc", [0, 1, 2, 3]), ("a🚀b", [0, 1, 3, 4]), ("検\uffff", [0, 1, 2]), ("🚀🚀", [0, 2, 4])],
)
def test_offsets_are_what_utf_16_has(text: str, offsets: list[int]) -> None:
    units = Units(text)
    assert [units.at(position) for position in range(len(text) + 1)] == offsets


def test_reach_takes_all_that_fits() -> None:
    assert Units("🚀a🚀b").reach(0, 4, 3) == 2


@given(st.text(st.sampled_from("ab🚀検"), min_size=1, max_size=60), st.integers(1, 40), st.data())
def test_reach_is_as_far_as_fits_and_at_least_a_character(text: str, limit: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    fits = [end for end in range(start + 1, len(text) + 1) if len(text[start:end].encode("utf-16-le")) // 2 <= limit]
    assert Units(text).reach(start, len(text), limit) == max(fits, default=start + 1)
