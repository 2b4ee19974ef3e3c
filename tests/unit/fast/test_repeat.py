from __future__ import annotations

import pytest
from fakes.gateway import configured, snapshot_of

from gateway.fast.attempts import MOST, Attempts
from gateway.fast.repeat import Question, Repeat, Repeats
from gateway.vocabulary import Account, Answer, Facts, Shape, Tally

SNAPSHOT = snapshot_of(configured())


def question(number: int) -> Question:
    return Question("/v1/embeddings", "org", "tenant", "key", bytes([number]))


def repeat(size: int) -> Repeat:
    sources = ((b"p", Answer(Shape.DENSE, bytes(400), 100, 1)),)
    account, facts = Account(0, "t", "k", "m", "e"), Facts("embeddings", "r")
    return Repeat(SNAPSHOT, sources, b"", bytes(size), facts, 1, (), None, (), account, Tally())


def test_the_least_recently_used_are_forgotten_where_room_is_short() -> None:
    repeats = Repeats(3 * repeat(1_000).weight)
    for number in range(3):
        repeats.keep(question(number), repeat(1_000))
    repeats.use(question(0))
    repeats.keep(question(3), repeat(1_000))
    assert [repeats.get(question(number)) is not None for number in range(4)] == [True, False, True, True]
    repeats.keep(question(3), repeat(2_000))
    assert [repeats.get(question(number)) is not None for number in range(4)] == [True, False, False, True]
    assert repeats.weight == repeat(1_000).weight + repeat(2_000).weight


def test_those_of_a_snapshot_that_is_gone_are_forgotten_with_the_first_of_a_new_one() -> None:
    repeats = Repeats(10**6)
    for number in range(3):
        repeats.keep(question(number), repeat(1_000))
    new = repeat(2_000)
    new.snapshot = snapshot_of(configured())
    repeats.keep(question(1), new)
    assert [repeats.get(question(number)) for number in range(3)] == [None, new, None]
    assert repeats.weight == new.weight


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    repeats = Repeats(1_000)
    repeats.keep(question(0), repeat(1_000))
    assert repeats.get(question(0)) is None
    repeats.forget(question(0))
    assert repeats.weight == 0


def test_the_body_and_the_payloads_weigh() -> None:
    assert repeat(1_000).weight - repeat(0).weight == 1_000
    assert repeat(0).weight > 400


@pytest.mark.parametrize("failures", [MOST, 3 * MOST])
def test_after_many_failures_one_in_so_many_is_tried_and_a_success_is_followed(failures: int) -> None:
    attempts = Attempts()
    for _ in range(failures):
        assert attempts.worth() or failures > MOST
        attempts.tried(success=False)
    assert [attempts.worth() for _ in range(2 * MOST)].count(True) == 2
    attempts.tried(success=True)
    assert attempts.worth()
    assert attempts.worth()
