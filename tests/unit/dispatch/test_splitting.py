from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.splitting import split


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [(0, 5, []), (1, 5, [1]), (5, 5, [5]), (6, 5, [3, 3]), (513, 512, [256, 257]), (7, 1, [1] * 7)],
)
def test_as_few_and_as_even_as_possible(count: int, limit: int, sizes: list[int]) -> None:
    assert [len(piece) for piece in split(range(count), limit)] == sizes


@given(st.lists(st.integers()), st.integers(1, 50))
def test_pieces_are_the_list_in_order(positions: list[int], limit: int) -> None:
    pieces = split(positions, limit)
    assert [position for piece in pieces for position in piece] == positions
    assert all(0 < len(piece) <= limit for piece in pieces)
