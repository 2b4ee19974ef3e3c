from __future__ import annotations

from gateway.settle.savings import savings
from gateway.vocabulary import Answer, Cause, Fresh, Item, ItemKey, Job, Plan, Saving, Shape

KEYS = tuple(ItemKey(bytes([n]), bytes([n])) for n in range(6))
PLAN = Plan(KEYS, {0: Answer(Shape.DENSE, b"", 1, 10, micros=500_000)}, (2, 3), {1: 0, 4: 2, 5: 3})
FRESH = Fresh({2: Answer(Shape.DENSE, b"", 1, 7, micros=1), 3: Answer(Shape.DENSE, b"", 1, 5)}, frozenset({3}))


def job(shape: Shape) -> Job:
    return Job("embeddings", "m", "r", ((Item.text("a"),),), shape, (), None)


def test_each_cause_is_counted_at_what_its_inputs_first_cost() -> None:
    assert savings(PLAN, FRESH, job(Shape.DENSE), "0.001") == (
        Saving(Cause.STORED, 1, 10, 0.01, 0.5),
        Saving(Cause.DUPLICATE, 3, 22, 0.022, 0.500001),
        Saving(Cause.IN_FLIGHT, 1, 5, 0.005, 0.0),
    )


def test_a_stored_score_is_a_pair_and_nothing_saved_is_nothing_told() -> None:
    assert [saving.cause for saving in savings(PLAN, FRESH, job(Shape.SCORE), "0")] == [
        Cause.PAIR,
        Cause.DUPLICATE,
        Cause.IN_FLIGHT,
    ]
    assert savings(Plan(KEYS[:1], {}, (0,)), Fresh({0: Answer(Shape.DENSE, b"", 1, 1)}), job(Shape.DENSE), "1") == ()
