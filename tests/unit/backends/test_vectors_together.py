"""Vectors of a list are read as each is read by itself, however they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pybase64
import pytest

from gateway.backends import reading
from gateway.backends.reading import UnreadableError, vector, vectors

if TYPE_CHECKING:
    from gateway.vocabulary import Json


def coded(*values: float) -> str:
    return pybase64.b64encode_as_string(np.array(values, dtype="<f4").tobytes())


GOOD: list[list[Json]] = [
    [coded(1, 2), coded(3, 4), coded(5, 6)],
    [coded(1, 2), [3.5, 4], coded(5, 6)],
    [[1, 2], [3, 4]],
    [coded(1, 2), coded(3)],
    [],
]
BAD: list[Json] = [
    coded(float("nan"), 1),
    coded(1, float("inf")),
    "",
    "AAAA",
    "not base64!",
    "é" * 8,
    None,
    7,
    [],
    ["1", "2"],
    [1.0, float("nan")],
]


@pytest.mark.parametrize("part", [1, 2, 64])
@pytest.mark.parametrize("values", GOOD)
def test_they_are_what_each_is_by_itself(monkeypatch: pytest.MonkeyPatch, values: list[Json], part: int) -> None:
    monkeypatch.setattr(reading, "_AT_ONCE", part)
    assert vectors(values) == [vector(value) for value in values]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("wrong", BAD, ids=repr)
def test_one_that_cannot_be_believed_is_told_in_the_same_words(wrong: Json, place: int) -> None:
    values: list[Json] = [coded(1, 2), coded(3, 4)]
    values.insert(place, wrong)
    with pytest.raises(UnreadableError) as alone:
        vector(wrong)
    with pytest.raises(UnreadableError) as together:
        vectors(values)
    assert str(together.value) == str(alone.value)
