from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.bound import utf8_length


@given(st.text())
def test_length_is_that_of_utf8(text: str) -> None:
    assert utf8_length(text) == len(text.encode())


def test_a_lone_surrogate_is_counted_not_refused() -> None:
    assert utf8_length("\ud800") == 3
