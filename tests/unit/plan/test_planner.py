from __future__ import annotations

import struct

import pytest

from gateway.errors import Code, GatewayError
from gateway.plan.cache_key import keys_of
from gateway.plan.planner import arrange, complete
from gateway.vocabulary import Answer, Caller, Item, Job, Limits, Plan, Shape

CALLER = Caller("t", "o", "free", "k", Limits(None, None, None))


def job(*texts: str) -> Job:
    units = tuple((Item.text(text),) for text in texts)
    return Job("embeddings", "m", "r", units, Shape.DENSE, (), None)


def answer(value: float, shape: Shape = Shape.DENSE, width: int = 1) -> Answer:
    return Answer(shape, struct.pack("<f", value) * width, width, 3)


def plan(texts: tuple[str, ...], stored: dict[str, Answer]) -> Plan:
    asked = job(*texts)
    keys = keys_of(asked, CALLER, b"s" * 32)
    found = {key.proof: stored[text] for key, text in zip(keys, texts, strict=True) if text in stored}
    return arrange(keys, found, asked, storable=True)


TABLE = [
    (("a", "b"), (), [0, 1], {}, {}),
    (("a", "b"), ("a",), [1], {0}, {}),
    (("a", "a", "b", "a"), (), [0, 2], {}, {1: 0, 3: 0}),
    (("a", "b", "a"), ("a",), [1], {0}, {2: 0}),
    (("a", "a"), ("a",), [], {0}, {1: 0}),
]


@pytest.mark.parametrize(("texts", "known", "missing", "stored", "twins"), TABLE)
def test_each_distinct_unknown_unit_is_missing_once(
    texts: tuple[str, ...], known: tuple[str, ...], missing: list[int], stored: set[int], twins: dict[int, int]
) -> None:
    made = plan(texts, {text: answer(1.0) for text in known})
    assert list(made.missing) == missing
    assert set(made.stored) == set(stored)
    assert made.twins == twins


def test_answers_come_in_the_order_asked() -> None:
    made = plan(("a", "b", "a", "c"), {"b": answer(2.0)})
    values = [struct.unpack("<f", entry.payload)[0] for entry in complete(made, {0: answer(1.0), 3: answer(3.0)})]
    assert values == [1.0, 2.0, 1.0, 3.0]


def test_an_entry_of_another_shape_is_a_miss() -> None:
    assert plan(("a",), {"a": answer(1.0, Shape.MULTI)}).missing == (0,)


def test_vectors_of_two_lengths_are_never_mixed() -> None:
    made = plan(("a", "b"), {"a": answer(1.0, width=2)})
    with pytest.raises(GatewayError, match="revision") as raised:
        complete(made, {1: answer(1.0, width=3)})
    assert raised.value.code is Code.SERVICE_UNAVAILABLE
