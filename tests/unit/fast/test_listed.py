from __future__ import annotations

from dataclasses import replace

from fakes.gateway import configured, snapshot_of

from gateway.endpoints import ENDPOINTS
from gateway.fast.form import Form, Sums, form_of
from gateway.fast.listed import KEY_BYTES, OVERHEAD_BYTES, Listed, Lists, Ready
from gateway.fast.repeat import Question
from gateway.vocabulary import ItemKey

SNAPSHOT = snapshot_of(configured())
CALLER = next(iter(SNAPSHOT.directory.values()))


def form() -> Form:
    (endpoint,) = [one for one in ENDPOINTS if one.name == "embeddings"]
    made = form_of(b'{"model":"jina-embeddings-v3"}', endpoint, SNAPSHOT, CALLER)
    assert made is not None
    return made


def question(number: int) -> Question:
    return Question("/v1/embeddings", "org", "tenant", "key", bytes([number]))


def listed(texts: int) -> Listed:
    return Listed(form(), [ItemKey(b"a", b"p")] * texts)


READY = Ready((), (), (), Sums(), 0, 0, (), 0.0)


def test_the_least_recently_used_are_forgotten_where_room_is_short() -> None:
    lists = Lists(3 * listed(10).weight)
    for number in range(3):
        lists.keep(question(number), listed(10))
    lists.get(question(0), SNAPSHOT)
    lists.keep(question(3), listed(10))
    assert [lists.get(question(number), SNAPSHOT) is not None for number in range(4)] == [True, False, True, True]
    lists.keep(question(3), listed(20))
    assert lists.weight <= 3 * listed(10).weight
    assert lists.weight == 2 * OVERHEAD_BYTES + 30 * KEY_BYTES


def test_one_larger_than_all_room_empties_nothing() -> None:
    lists = Lists(listed(10).weight)
    lists.keep(question(0), listed(10))
    lists.keep(question(1), listed(11))
    assert lists.get(question(0), SNAPSHOT) is not None
    assert lists.get(question(1), SNAPSHOT) is None


def test_those_of_a_snapshot_that_is_gone_are_forgotten() -> None:
    lists, new = Lists(10**6), replace(SNAPSHOT)
    lists.keep(question(0), listed(10))
    assert lists.get(question(0), new) is None
    other = listed(10)
    other.form.snapshot = new
    lists.keep(question(1), other)
    assert lists.get(question(1), new) is other
    assert lists.get(question(0), SNAPSHOT) is None
    assert lists.weight == other.weight


def test_what_is_ready_is_let_go_of_though_the_list_is_forgotten() -> None:
    lists, one = Lists(10**6), listed(10)
    states = [one.ready]
    lists.prepared(one, READY)
    states.append(one.ready)
    for _ in range(2):
        lists.release()
        states.append(one.ready)
    assert states == [None, READY, None, None]


def test_calls_that_were_counted_before_add_up() -> None:
    whole, part = Sums(), Sums(hits=1, duplicates=2, hit_tokens=3, hit_micros=4, copied_tokens=5, copied_micros=6)
    whole.add(part)
    whole.add(part)
    assert whole == Sums(hits=2, duplicates=4, hit_tokens=6, hit_micros=8, copied_tokens=10, copied_micros=12)
