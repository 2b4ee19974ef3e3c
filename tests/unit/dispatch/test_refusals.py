from __future__ import annotations

import pytest

from gateway.dispatch.refusals import leaves_a_reply, refused
from gateway.errors import Code, FieldError, GatewayError
from gateway.vocabulary import Item, Job, Shape

WHY = GatewayError(Code.INPUT_INVALID, "too long", errors=(FieldError("body -> m -> input", "too long", "too_long"),))
PLAIN = GatewayError(Code.INPUT_INVALID, "unreadable")


def job(endpoint: str = "embeddings", items: int = 100, labels: tuple[int, ...] = ()) -> Job:
    units = tuple((Item.text(str(number)),) for number in range(items))
    return Job(endpoint, "m", "r", units, Shape.DENSE, (), None, labels=labels)


def test_one_of_a_list_is_named() -> None:
    error = refused(job(), {7: WHY})
    assert error.message == "Input 7 was not accepted: too long"
    assert error.errors == (FieldError("body -> m -> input -> 7", "too long", "too_long"),)


def test_several_are_named_in_order() -> None:
    error = refused(job("rerank"), {9: PLAIN, 2: WHY, 4: WHY})
    assert error.message == "Document 2 was not accepted: too long (and 2 more)"
    assert [each.field for each in error.errors] == [f"body -> m -> documents -> {at}" for at in (2, 4, 9)]
    assert error.errors[2].type == "value_error"


@pytest.mark.parametrize(("position", "noun", "field"), [(1, "Input 1", "input -> 1"), (2, "Label 0", "labels -> 0")])
def test_labels_are_counted_by_themselves(position: int, noun: str, field: str) -> None:
    error = refused(job(items=4, labels=(1, 1)), {position: WHY})
    assert error.message == f"{noun} was not accepted: too long"
    assert error.errors[0].field == f"body -> m -> {field}"


@pytest.mark.parametrize(
    ("labels", "answered", "bad", "left"),
    [
        ((), {0}, {1, 2, 3}, True),
        ((), set(), {0, 1, 2, 3}, False),
        ((2,), {0, 2, 3}, {1}, True),
        ((2,), {0, 1, 3}, {2}, False),
        ((2,), {0, 3}, {1, 2}, False),
        ((2,), {2, 3}, {0, 1}, False),
    ],
)
def test_a_reply_needs_an_input_and_every_label(
    labels: tuple[int, ...], answered: set[int], bad: set[int], *, left: bool
) -> None:
    assert leaves_a_reply(job(items=4, labels=labels), answered, bad) is left


def test_what_was_sent_alone_is_refused_as_the_backend_said_it() -> None:
    error = refused(job(items=1), {0: WHY})
    assert (error.message, error.errors) == (WHY.message, WHY.errors)


@pytest.mark.parametrize("count", [64, 100])
def test_an_endless_list_of_bad_ones_is_cut(count: int) -> None:
    error = refused(job(), dict.fromkeys(range(count), PLAIN))
    assert len(error.errors) == 64
    assert error.code is Code.INPUT_INVALID
