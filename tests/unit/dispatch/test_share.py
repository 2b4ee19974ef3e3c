from __future__ import annotations

import pytest

from gateway.dispatch.share import OwnDraws, share
from gateway.vocabulary import Limits

NONE = Limits(None, None, None)


@pytest.mark.parametrize(
    ("limits", "workers", "expected"),
    [
        (Limits(100, 1_000, 5), 1, Limits(100, 1_000, 5)),
        (Limits(100, 1_000, 5), 3, Limits(33, 333, 1)),
        (Limits(2, None, 1), 4, Limits(1, None, 1)),
        (NONE, 4, NONE),
    ],
)
def test_a_share_is_an_equal_part_and_at_least_one(limits: Limits, workers: int, expected: Limits) -> None:
    assert share(limits, workers) == expected


@pytest.mark.parametrize(
    ("limits", "tokens", "running", "wait"),
    [
        (NONE, 1_000, 50, 0.0),
        (Limits(3, None, None), 1, 0, 0.0),
        (Limits(2, None, None), 1, 0, 30.0),
        (Limits(1, None, None), 1, 0, 40.0),
        (Limits(None, 60, None), 30, 0, 0.0),
        (Limits(None, 60, None), 31, 0, 30.0),
        (Limits(None, 60, None), 41, 0, 40.0),
        (Limits(None, 60, None), 600, 0, 40.0),
        (Limits(1, 60, None), 31, 0, 40.0),
        (Limits(None, None, 2), 1, 2, 0.1),
        (Limits(None, None, 2), 1, 1, 0.0),
    ],
)
def test_the_wait_ends_when_enough_is_older_than_a_minute(
    limits: Limits, tokens: int, running: int, wait: float
) -> None:
    own = OwnDraws()
    own.draw(0.0, 10)
    own.draw(10.0, 20)
    assert own.wait(30.0, tokens, limits, running) == pytest.approx(wait)
    if wait > 1:
        assert own.wait(30.0 + wait - 0.001, tokens, limits, running) > 0
        assert own.wait(30.0 + wait, tokens, limits, running) == 0


def test_a_settled_call_counts_from_then_for_what_it_used() -> None:
    own, limits = OwnDraws(), Limits(1, 60, None)
    draw = own.draw(0.0, 60)
    own.settle(draw, 30.0, 1, 10)
    assert own.wait(61.0, 1, limits, 0) == pytest.approx(29.0)
    assert own.wait(61.0, 50, Limits(None, 60, None), 0) == 0
    own.settle(draw, 30.0, 0, 0)
    assert own.wait(31.0, 60, limits, 0) == 0


def test_what_is_old_is_forgotten() -> None:
    own = OwnDraws()
    for second in range(1_000):
        own.draw(float(second), 1)
    assert len(own._log) <= 61
