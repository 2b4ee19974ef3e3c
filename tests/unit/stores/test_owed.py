from __future__ import annotations

from gateway.stores.redis.owed import MOST_BYTES, MOST_SECONDS, Owed
from gateway.vocabulary import Answer, ItemKey, Shape


def entry(number: int, size: int = 8) -> tuple[ItemKey, Answer]:
    return ItemKey(number.to_bytes(16, "big"), b"p"), Answer(Shape.SCORE, bytes(size), 0, 1)


def test_what_is_owed_is_offered_once_in_order() -> None:
    owed = Owed()
    assert not owed
    owed.add([entry(1), entry(2)], 10.0)
    owed.add([entry(3)], 11.0)
    assert owed
    assert owed.take(12.0) == [entry(1), entry(2), entry(3)]
    assert not owed
    assert owed.take(12.0) == []


def test_what_is_owed_for_long_is_not_offered_any_more() -> None:
    owed = Owed()
    owed.add([entry(1)], 10.0)
    owed.add([entry(2)], 11.0)
    assert owed.take(10.5 + MOST_SECONDS) == [entry(2)]


def test_the_oldest_are_forgotten_where_there_is_no_room() -> None:
    owed, size = Owed(), MOST_BYTES // 3
    owed.add([entry(number, size) for number in range(4)], 0.0)
    assert [key for key, _ in owed.take(0.0)] == [entry(2)[0], entry(3)[0]]
    owed.add([entry(number) for number in range(4)], 0.0)
    assert len(owed.take(0.0)) == 4
