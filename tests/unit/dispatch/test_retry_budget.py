"""P: the written spec of gateway.dispatch.retry_budget, by a log of every call beside it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.retry_budget import RETRY_FLOOR, RETRY_PART, WINDOW_SECONDS, RetryBudget

START = 1_000.0


def within(log: list[float], now: float) -> int:
    return sum(at > now - WINDOW_SECONDS for at in log)


def greedy(budget: RetryBudget, steps: list[tuple[float, int]]) -> tuple[list[float], list[float], list[float]]:
    """Send as many extra calls as ever it allows; when calls were seen, when extras were sent, all moments."""
    now, calls, extra, moments = START, list[float](), list[float](), list[float]()
    for pause, count in steps:
        now += pause
        budget.seen(now, count)
        calls += [now] * count
        while budget.may(now):
            budget.spend(now)
            extra.append(now)
        moments.append(now)
    return calls, extra, moments


def test_a_quiet_service_may_retry_its_floor_and_has_it_back_after_a_window() -> None:
    budget = RetryBudget()
    assert len(greedy(budget, [(0, 0)])[1]) == RETRY_FLOOR == budget.spent
    assert not budget.may(START + WINDOW_SECONDS - 0.6)
    assert budget.may(START + WINDOW_SECONDS + 0.5)


def test_without_a_floor_only_traffic_gives_room() -> None:
    budget = RetryBudget(0.02, 0)
    budget.seen(START, 49)
    assert not budget.may(START)
    budget.seen(START)
    assert budget.may(START)


@pytest.mark.parametrize("rate", [3, 40, 1_000])
def test_a_backend_that_always_fails_costs_a_tenth_more(rate: int) -> None:
    steps = [(1 / rate, 1)] * (rate * 60)
    calls, extra, _ = greedy(RetryBudget(), steps)
    most = RETRY_PART * len(calls) + RETRY_FLOOR * (60 / WINDOW_SECONDS + 1)
    assert 0.85 * RETRY_PART * len(calls) <= len(extra) <= most


def test_traffic_that_is_gone_gives_no_room() -> None:
    budget = RetryBudget(floor=0)
    budget.seen(START, 1_000)
    assert budget.may(START + WINDOW_SECONDS - 0.6)
    assert not budget.may(START + WINDOW_SECONDS)


steps_of_any_kind = st.lists(
    st.tuples(st.floats(0, 4) | st.sampled_from([0.0, 0.5, 9.5, 10.0, 10.5]), st.integers(0, 60)), max_size=60
)


@settings(deadline=None)
@given(steps=steps_of_any_kind, floor=st.integers(0, 5), part=st.sampled_from([0.02, 0.1, 0.5]))
def test_extra_calls_never_pass_the_part_and_the_floor(steps: list[tuple[float, int]], floor: int, part: float) -> None:
    budget = RetryBudget(part, floor)
    now, calls, extra = START, list[float](), list[float]()
    for pause, count in steps:
        now += pause
        budget.seen(now, count)
        calls += [now] * count
        while budget.may(now):
            budget.spend(now)
            extra.append(now)
            assert within(extra, now) <= floor + part * within(calls, now) + 1e-9


def test_nothing_piles_up_however_long_it_runs() -> None:
    budget, chance, now = RetryBudget(), Random(5), START  # noqa: S311 - a simulation
    for _ in range(20_000):
        now += chance.expovariate(200)
        budget.seen(now)
        if budget.may(now):
            budget.spend(now)
    assert len(budget._calls) + len(budget._extra) <= 45
