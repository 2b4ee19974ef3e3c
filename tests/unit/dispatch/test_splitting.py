from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind
from gateway.dispatch.order import Want
from gateway.dispatch.splitting import Bisection, cut, fits, without_places
from gateway.errors import FieldError
from gateway.vocabulary import Item, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.dispatch.order import Order

NO_LIMITS = CallLimits()
INVALID = Outcome(OutcomeKind.INVALID, message="bad")


def wanted(*tokens: int, size: int = 10) -> tuple[Want, ...]:
    return tuple(Want(cast("Order", None), at, count, size) for at, count in enumerate(tokens))


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [(0, 5, []), (1, 5, [1]), (5, 5, [5]), (6, 5, [3, 3]), (513, 512, [256, 257]), (7, 1, [1] * 7)],
)
def test_as_few_and_as_even_as_possible(count: int, limit: int, sizes: list[int]) -> None:
    assert [len(piece) for piece in cut(wanted(*[1] * count), NO_LIMITS, limit)] == sizes


@pytest.mark.parametrize(
    ("tokens", "limits", "pieces"),
    [
        ((5, 5, 5, 5), CallLimits(tokens=10), [(0, 1), (2, 3)]),
        ((9, 1, 1, 9), CallLimits(tokens=10), [(0, 1), (2, 3)]),
        ((9, 9, 1, 1), CallLimits(tokens=11), [(0,), (1, 2, 3)]),  # halves would be 18 and 2
        ((99, 1, 99), CallLimits(tokens=10), [(0,), (1,), (2,)]),  # too large by itself: the backend knows better
        ((1, 1, 1, 1), CallLimits(size=25), [(0, 1), (2, 3)]),
        ((1, 1, 1, 1), CallLimits(size=40, tokens=4), [(0, 1, 2, 3)]),
    ],
)
def test_tokens_and_bytes_cut_too(tokens: tuple[int, ...], limits: CallLimits, pieces: list[tuple[int, ...]]) -> None:
    assert [tuple(want.position for want in piece) for piece in cut(wanted(*tokens), limits, 100)] == pieces


def of_kinds(kinds: Sequence[Modality]) -> tuple[Want, ...]:
    units = tuple((Item(kind, (Part(kind, "x"),)),) for kind in kinds)
    order = cast("Order", SimpleNamespace(job=SimpleNamespace(units=units)))
    return tuple(Want(order, at, 1, 1) for at in range(len(kinds)))


T, V, A = Modality.TEXT, Modality.VIDEO, Modality.AUDIO


@pytest.mark.parametrize(
    ("kinds", "media", "pieces"),
    [
        ([T, V, T, A, V], 32, [(0, 2), (1, 4), (3,)]),
        ([T] * 6, 2, [(0, 1, 2), (3, 4, 5)]),
        ([V] * 5, 3, [(0, 1), (2, 3, 4)]),
        ([V, T, V], None, [(0, 1, 2)]),
        ([], 3, []),
    ],
)
def test_where_calls_have_one_modality_each_is_cut_by_itself(
    kinds: list[Modality], media: int | None, pieces: list[tuple[int, ...]]
) -> None:
    wants, limits = of_kinds(kinds), CallLimits(media=media)
    found = cut(wants, limits, 5)
    assert [tuple(want.position for want in piece) for piece in found] == pieces
    assert all(fits(piece, limits, 5) for piece in found)
    assert fits(wants, limits, 5) is (len(pieces) <= 1)


@given(
    st.lists(st.integers(1, 50), max_size=60),
    st.integers(1, 50),
    st.none() | st.integers(1, 200),
    st.none() | st.integers(1, 200),
)
def test_pieces_are_the_list_in_order(tokens: list[int], most: int, limit: int | None, size: int | None) -> None:
    limits = CallLimits(tokens=limit, size=size)
    listed = wanted(*tokens)
    pieces = cut(listed, limits, most)
    assert tuple(want for piece in pieces for want in piece) == listed
    assert all(len(piece) == 1 or fits(piece, limits, most) for piece in pieces)


def test_a_refused_call_is_halved_until_one_is_left() -> None:
    bisection = Bisection(5)
    left, right = bisection.halves(wanted(1, 1, 1, 1, 1), INVALID)
    assert [want.position for want in left + right] == [0, 1, 2, 3, 4]
    assert len(left) == 2
    assert bisection.halves(left[:1], INVALID) == ()


@pytest.mark.parametrize("kind", sorted(set(OutcomeKind) - {OutcomeKind.INVALID, OutcomeKind.TOO_LARGE}))
def test_only_refusals_of_inputs_are_halved(kind: OutcomeKind) -> None:
    assert Bisection(4).halves(wanted(1, 1), Outcome(kind)) == ()


@pytest.mark.parametrize(
    ("fields", "halved"),
    [
        ((), True),
        (("body -> m -> input -> 3",), True),
        (("body -> m -> documents",), True),
        (("body -> m -> task",), False),
        (("body -> m -> task", "body -> m -> input"), True),
    ],
)
def test_a_refusal_that_names_other_fields_only_is_for_the_whole_call(fields: tuple[str, ...], halved: bool) -> None:  # noqa: FBT001 - a table's column
    outcome = Outcome(OutcomeKind.INVALID, errors=tuple(FieldError(name, "no", "value_error") for name in fields))
    assert bool(Bisection(4).halves(wanted(1, 1), outcome)) is halved


@given(st.integers(1, 2_048), st.data())
def test_one_bad_unit_is_found_with_few_calls_that_ask_each_good_one_once(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, count - 1))
    bisection, calls, answered, found = Bisection(count), 0, 0, []
    todo = [wanted(*[1] * count)]
    while todo:
        piece = todo.pop()
        calls += 1
        if all(want.position != bad for want in piece):
            answered += len(piece)
        elif halves := bisection.halves(piece, INVALID):
            todo += halves
        else:
            found.append([want.position for want in piece])
    assert found == [[bad]]
    assert answered == count - 1
    assert calls <= 1 + 2 * count.bit_length()


def test_a_list_that_is_all_bad_ends_the_search() -> None:
    bisection, calls = Bisection(2_048), 0
    todo = [wanted(*[1] * 2_048)]
    while todo:
        calls += 1
        todo += bisection.halves(todo.pop(), INVALID)
    assert calls < 100


def test_a_refusal_of_several_units_names_none_of_them_by_its_place_in_the_call() -> None:
    fields = ("body -> m -> input -> 3", "body -> m -> task", "body -> m -> documents")
    told = Outcome(OutcomeKind.INVALID, errors=tuple(FieldError(name, "no", "value_error") for name in fields))
    assert [error.field for error in without_places(told).errors] == ["body -> m -> task"]
