from __future__ import annotations

import pytest

from gateway.processes.backoff import FIRST, HEALTHY, LONGEST, ending, next_delay


@pytest.mark.parametrize(
    ("previous", "alive", "expected"),
    [
        (None, 0.0, 0.1),
        (None, 3600.0, 0.1),
        (0.1, 0.0, 0.2),
        (0.2, 9.99, 0.4),
        (0.4, 10.0, 0.1),
        (3.2, 0.0, 5.0),
        (5.0, 0.0, 5.0),
        (5.0, 10.0, 0.1),
    ],
)
def test_waits_double_up_to_a_bound_and_start_over_after_a_healthy_run(
    previous: float | None, alive: float, expected: float
) -> None:
    assert next_delay(previous, alive) == pytest.approx(expected)


def test_a_crash_loop_is_bounded_by_the_longest_wait() -> None:
    delay: float | None = None
    waits = [delay := next_delay(delay, 0.0) for _ in range(8)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert (waits[0], waits[-1], next_delay(waits[-1], HEALTHY)) == (FIRST, LONGEST, FIRST)


@pytest.mark.parametrize(("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "signal 9")])
def test_endings_in_words(code: int, words: str) -> None:
    assert ending(code) == words
