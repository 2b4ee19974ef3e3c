from __future__ import annotations

import pytest

from gateway.settle.usage import charge, counted
from gateway.vocabulary import Answer, Charge, Fresh, ItemKey, Plan, Shape


def answer(tokens: int) -> Answer:
    return Answer(Shape.DENSE, b"\0\0\0\0", 1, tokens)


def keys(count: int) -> tuple[ItemKey, ...]:
    return tuple(ItemKey(bytes([n]), bytes([n])) for n in range(count))


TABLE = [
    (Plan(keys(2), {}, (0, 1)), {0: answer(3), 1: answer(4)}, Charge(7, 7)),
    (Plan(keys(2), {0: answer(3)}, (1,)), {1: answer(4)}, Charge(7, 4)),
    (Plan(keys(2), {0: answer(3), 1: answer(4)}, ()), {}, Charge(7, 0)),
    (Plan(keys(3), {}, (0,), {1: 0, 2: 0}), {0: answer(5)}, Charge(15, 5)),
]


@pytest.mark.parametrize(("plan", "fresh", "expected"), TABLE)
def test_a_hit_reports_what_a_miss_reported_and_costs_nothing(
    plan: Plan, fresh: dict[int, Answer], expected: Charge
) -> None:
    assert charge(plan, Fresh(fresh)) == expected


def test_what_another_request_asked_for_is_that_ones_charge() -> None:
    fresh = Fresh({0: answer(3), 1: answer(4)}, frozenset({1}))
    assert charge(Plan(keys(2), {}, (0, 1)), fresh) == Charge(reported=7, upstream=3)


@pytest.mark.parametrize(("count_cached", "expected"), [(False, 4), (True, 7)])
def test_cached_tokens_count_only_when_asked_for(count_cached: bool, expected: int) -> None:  # noqa: FBT001 - a table
    assert counted(Charge(reported=7, upstream=4), count_cached=count_cached) == expected
