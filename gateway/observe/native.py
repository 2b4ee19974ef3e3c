"""P: the grid that histograms count in, and what its cells are as classic and as native buckets.

A native histogram of schema n has a bucket bound at every power of 2 ** 2 ** -n (Prometheus' native histograms, as of
its specification of the exponential schemas). A cell of the grid lies between two neighbours of those bounds and of
the classic ones. So each cell belongs to one classic and to one native bucket, and both are exact.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SCHEMA = 3
"""Eight buckets a doubling: each is 9 % wider than the one below, so a percentile is at most so far off."""

_STEPS = 2**SCHEMA
_LOWEST, _HIGHEST = -20, 12
"""Exponents of two: from a microsecond to more than an hour, or from a millionth to thousands."""

_FIRST, _LAST = _LOWEST * _STEPS, _HIGHEST * _STEPS
"""Indices of buckets: a bucket with index i ends at 2 ** (i / _STEPS)."""

BOUNDS = tuple(math.ldexp(2 ** (at % _STEPS / _STEPS), at // _STEPS) for at in range(_FIRST, _LAST + 1))
"""Powers of two among them are exact. The first is the zero threshold: what is not above it is in the zero bucket."""

ZERO_THRESHOLD = BOUNDS[0]


class Native(NamedTuple):
    """The buckets of a native histogram: `spans` are pairs of a gap and a length, `deltas` differences of counts."""

    zero_count: int
    spans: tuple[tuple[int, int], ...]
    deltas: tuple[int, ...]


@cache
def grid(bounds: tuple[float, ...]) -> tuple[float, ...]:
    """The upper bounds of all cells, for classic buckets with these bounds; the last is infinite."""
    return tuple(sorted({*BOUNDS, *bounds, math.inf}))


def classic(cells: Mapping[float, float], bounds: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Bounds and how many values lie below each, out of counts by the upper bounds of cells."""
    below, ascending = 0.0, sorted(cells.items(), reverse=True)
    for bound in bounds:
        while ascending and ascending[-1][0] <= bound:
            below += ascending.pop()[1]
        yield bound, below


def native(cells: Mapping[float, float]) -> Native:
    """The same counts in native buckets. What lies above the last bound is in the bucket behind it."""
    counts: dict[int, int] = {}
    for bound, count in sorted(cells.items()):
        at = _FIRST + bisect_left(BOUNDS, bound)
        counts[at] = counts.get(at, 0) + round(count)
    zero_count = counts.pop(_FIRST, 0)
    filled = [(at, count) for at, count in counts.items() if count]
    return Native(zero_count, tuple(_spans([at for at, _ in filled])), tuple(_deltas(count for _, count in filled)))


def _spans(ascending: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbours: how far each begins behind the end of the one before (the first: behind 0), its length."""
    if not ascending:
        return
    begins = [0, *(place for place, (a, b) in enumerate(pairwise(ascending), 1) if b > a + 1), len(ascending)]
    end = 0
    for first, behind in pairwise(begins):
        yield ascending[first] - end, behind - first
        end = ascending[behind - 1] + 1


def _deltas(counts: Iterable[int]) -> Iterator[int]:
    before = 0
    for count in counts:
        yield count - before
        before = count
