"""A cached hit takes about as many instructions as is recorded: a regression fails without a clock."""

from __future__ import annotations

import pytest
from instructions import count, missing, nearest, place


def test_a_cached_hit_takes_no_more_than_before() -> None:
    """Nor less: what got cheaper is recorded anew, or the next regression would hide below the old figure."""
    if absent := missing():
        pytest.skip(f"no {' and no '.join(absent)} on PATH")
    known = nearest()
    if known is None:
        pytest.skip(f"no figure is recorded for a Python like {place()} (make bench-instructions)")
    (before, tolerance), now = known, count()
    changes = {kind: f"{now[kind]:,} ({now[kind] / before[kind] - 1:+.1%})" for kind in before}
    moved = [kind for kind in before if abs(now[kind] / before[kind] - 1) > tolerance]
    assert not moved, f"{changes}, recorded are {before}; if that is meant: make bench-instructions"
