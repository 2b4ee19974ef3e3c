from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch.recent import Recent

STEPS = st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(0, 5)), max_size=60)


@given(steps=STEPS, seconds=st.sampled_from([0.5, 1.0]), whole=st.integers(0, 6))
def test_the_total_is_that_of_the_slot_that_runs_and_of_those_before_it(
    steps: list[tuple[float, int]], seconds: float, whole: int
) -> None:
    recent, added, now = Recent(seconds, whole), list[tuple[int, int]](), 0.0
    for rest, amount in steps:
        now += rest
        recent.add(now, amount)
        added.append((int(now // seconds), amount))
        first = int(now // seconds) - whole
        assert recent.total(now) == sum(amount for slot, amount in added if slot >= first)
        assert len(recent) <= whole + 1
    late = now + seconds * (whole + 1)
    assert recent.total(late) == 0
    recent.add(late, 3)
    recent.clear()
    assert (recent.total(late), len(recent)) == (0, 0)
