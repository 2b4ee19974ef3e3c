from __future__ import annotations

import pytest

from gateway.dispatch.slots import Slots
from gateway.vocabulary import Lane


@pytest.mark.parametrize(
    ("size", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 5), (16, 12), (17, 12), (32, 24), (100, 75)]
)
def test_bulk_leaves_the_reserve_free(size: int, most: int) -> None:
    slots, begun = Slots(size), 0
    while slots.spare:
        slots.take(Lane.BULK)
        begun += 1
    assert begun == most
    assert slots.full is (size == 1)
    assert not slots.due


def test_bulk_that_is_due_may_use_the_reserve_but_has_never_more_places_than_before() -> None:
    slots = Slots(8)
    for _ in range(2):
        slots.take(Lane.INTERACTIVE)
    for _ in range(3):
        slots.take(Lane.BULK)
    assert (slots.spare, slots.due, slots.full) == (False, True, False)
    assert (slots.of(Lane.INTERACTIVE), slots.of(Lane.BULK)) == (2, 3)
    for _ in range(2):
        slots.take(Lane.BULK)
    assert (slots.due, slots.full) == (False, False)
    slots.take(Lane.INTERACTIVE)
    assert slots.full
    slots.free(Lane.BULK)
    assert (slots.due, slots.full) == (True, False)
    for _ in range(3):
        slots.free(Lane.INTERACTIVE)
    assert slots.spare


def test_a_single_place_is_never_due_to_bulk() -> None:
    slots = Slots(1)
    assert (slots.spare, slots.due) == (True, False)
