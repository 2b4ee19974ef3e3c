from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens.peaks import WINDOW, Peak, Peaks


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_within_a_window_a_peak_is_the_largest_value(values: list[float]) -> None:
    peak = Peak()
    for value in values:
        peak.observe(value)
    assert (peak.value, peak.seen) == (max(values), len(values))


@pytest.mark.parametrize("before", [0, 1, WINDOW // 2, WINDOW - 1])
def test_a_peak_is_kept_for_a_window_and_forgotten_after_two(before: int) -> None:
    peak = Peak()
    for _ in range(before):
        peak.observe(1.0)
    peak.observe(9.0)
    for later in range(2 * WINDOW + 1):
        if later <= WINDOW:
            assert peak.value == 9.0
        peak.observe(1.0)
    assert peak.value == 1.0


def test_kinds_are_apart_and_believed_once_there_are_enough_values() -> None:
    peaks = Peaks(enough=3)
    for value in (0.5, 2.0):
        peaks.observe("a", value)
    assert peaks.of("a") is None
    peaks.observe("a", 1.0)
    assert (peaks.of("a"), peaks.of("b")) == (2.0, None)
