from __future__ import annotations

import math
from itertools import pairwise

import pytest

from gateway.observe.native import BOUNDS, SCHEMA, ZERO_THRESHOLD, Native, classic, grid, native

STEP = 2 ** (1 / 2**SCHEMA)
BEYOND = 97
"""The bucket behind 4,096."""


def test_bounds_are_the_schemas() -> None:
    assert [bound for bound in BOUNDS if math.log2(bound).is_integer()] == [2.0**power for power in range(-20, 13)]
    assert all(b / a == pytest.approx(STEP) for a, b in pairwise(BOUNDS))


def test_a_grid_has_both_kinds_of_bounds_and_an_end() -> None:
    cells = grid((0.3, 0.5, math.inf))
    assert set(cells) == {*BOUNDS, 0.3, math.inf}
    assert list(cells) == sorted(cells)
    assert grid((0.5,)) == (*BOUNDS, math.inf)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, Native(0, (), ())),
        ({ZERO_THRESHOLD: 3}, Native(3, (), ())),
        ({1.0: 2}, Native(0, ((0, 1),), (2,))),
        ({1.0: 2, STEP: 5}, Native(0, ((0, 2),), (2, 3))),
        ({0.5: 4, 1.0: 1, 2.0: 1}, Native(0, ((-8, 1), (7, 1), (7, 1)), (4, -3, 0))),
        ({0.95: 2, 1.0: 3}, Native(0, ((0, 1),), (5,))),
        ({1.0: 0, 2.0: 7}, Native(0, ((8, 1),), (7,))),
        ({4096.0: 1, 5000.0: 2, math.inf: 3}, Native(0, ((96, 2),), (1, 4))),
        ({math.inf: 1, ZERO_THRESHOLD / 2: 1, ZERO_THRESHOLD: 1}, Native(2, ((BEYOND, 1),), (1,))),
    ],
)
def test_cells_become_spans_and_differences(cells: dict[float, float], expected: Native) -> None:
    assert native(cells) == expected


@pytest.mark.parametrize(
    ("cells", "below"),
    [({}, [0, 0, 0]), ({0.4: 1, 0.5: 2, 0.55: 4, 1.0: 8, math.inf: 16}, [3, 15, 31]), ({0.51: 1}, [0, 1, 1])],
)
def test_cells_become_classic_buckets(cells: dict[float, float], below: list[float]) -> None:
    assert [count for _, count in classic(cells, (0.5, 1.0, math.inf))] == below
