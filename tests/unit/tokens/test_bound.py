from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.bound import text_bound, utf8_length


@pytest.mark.parametrize(
    ("text", "context", "bound"), [("", 10, 2), ("abc", 10, 5), ("é🚀", 10, 8), ("a" * 100, 10, 10)]
)
def test_a_text_has_at_most_its_bytes_and_two_marks_within_the_context(text: str, context: int, bound: int) -> None:
    assert text_bound(text, context) == bound


@given(st.text())
def test_length_is_that_of_utf8(text: str) -> None:
    assert utf8_length(text) == len(text.encode())


def test_a_lone_surrogate_is_counted_not_refused() -> None:
    assert utf8_length("\ud800") == 3
