"""What became of each input, in a word."""

from __future__ import annotations

from gateway.errors import internal_error
from gateway.plan.told import told
from gateway.vocabulary import Answer, Fresh, ItemKey, Plan, Shape

KEY, ANSWER = ItemKey(b"", b""), Answer(Shape.SCORE, bytes(8), 0, 3)


def test_every_input_has_its_word() -> None:
    plan = Plan(
        keys=(KEY,) * 7,
        stored={0: ANSWER, 1: ANSWER, 2: ANSWER},
        missing=(3, 4, 5),
        twins={6: 3},
        derived=frozenset({1}),
        foreign=frozenset({2}),
    )
    fresh = Fresh({3: ANSWER, 4: ANSWER}, shared=frozenset({4}), refused={5: internal_error()})
    assert told(plan, fresh) == ["hit", "derived", "miss", "miss", "in flight", "refused", "duplicate"]
