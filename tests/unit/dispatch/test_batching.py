"""The decisions of a gathering, one by one; tests/simulation/test_batching.py has what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from gateway.backends.dialect import CallLimits
from gateway.dispatch.batching import AT_ONCE, Entry, Gathering
from gateway.dispatch.order import Want

if TYPE_CHECKING:
    from gateway.dispatch.order import Order

WINDOW = 0.5


def entry(name: str, units: int = 1, tokens: int = 1) -> Entry[str]:
    return Entry(tuple(Want(cast("Order", None), at, tokens, 1) for at in range(units)), name)


def gathering(*entries: Entry[str], most: int = 4, limits: CallLimits = CallLimits()) -> Gathering[str]:  # noqa: B008 - immutable
    made: Gathering[str] = Gathering(limits, most)
    for each in entries:
        made.add(each, 0.0, WINDOW)
    return made


def closed(made: Gathering[str], now: float) -> list[str]:
    return [each.waiter for each in made.close(now)]


@pytest.mark.parametrize(("now", "batch"), [(0.0, []), (0.49, []), (0.5, ["a", "b"])])
def test_while_nothing_runs_the_window_closes_a_batch(now: float, batch: list[str]) -> None:
    made = gathering(entry("a"), entry("b"))
    assert made.rest(now) == pytest.approx(WINDOW - now)
    assert closed(made, now) == batch


def test_a_full_batch_goes_at_once_and_leaves_the_rest() -> None:
    made = gathering(*[entry(name) for name in "abcde"])
    assert closed(made, 0.0) == ["a", "b", "c", "d"]
    assert closed(made, 9.0) == []  # one runs: the rest waits for it
    assert made.rest(9.0) is None
    made.returned()
    assert closed(made, 9.0) == ["e"]


def test_what_would_not_fit_waits_for_the_next_and_is_not_parted() -> None:
    made = gathering(entry("a", 3), entry("b", 2), entry("c"))
    assert closed(made, 0.0) == ["a"]
    made.returned()
    assert closed(made, 0.0) == ["b", "c"]


def test_tokens_fill_a_batch_too_and_one_too_large_goes_alone() -> None:
    made = gathering(entry("a", tokens=50), entry("b", tokens=2), entry("c", tokens=2), limits=CallLimits(tokens=3))
    assert closed(made, 0.0) == ["a"]
    assert closed(made, 0.0) == ["b"]


def test_at_most_so_many_run_at_once() -> None:
    made = gathering(*[entry(str(number)) for number in range(4 * (AT_ONCE + 1))])
    assert [len(closed(made, 0.0)) for _ in range(AT_ONCE + 1)] == [4] * AT_ONCE + [0]
    assert made.running == AT_ONCE


def test_who_goes_away_leaves_and_an_empty_gathering_is_over() -> None:
    first = entry("a")
    made = gathering(first)
    made.withdraw(first)
    made.withdraw(first)
    assert closed(made, 9.0) == []
    assert made.rest(9.0) is None
    assert made.over
