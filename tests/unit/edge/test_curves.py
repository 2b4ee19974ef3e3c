"""Where the lines of a plot go, and how its numbers are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from gateway.edge.console.curves import HEIGHT, UNKNOWN, WIDTH, Line, milliseconds, percent, plot, short, span, usd
from gateway.edge.console.findings import alike, ranked

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (short, 0.0, "0"),
        (short, 1e-12, "0"),
        (short, 0.0412, "0.0412"),
        (short, 0.00001234, "0.0000123"),
        (short, 9.996, "10"),
        (short, 2.5, "2.5"),
        (short, 120.4, "120"),
        (short, 1_200.0, "1.2k"),
        (short, 3_000_000.0, "3M"),
        (short, 4e9, "4G"),
        (percent, 0.0, "0 %"),
        (percent, 0.0001, "<0.1 %"),
        (percent, 0.0066, "0.7 %"),
        (percent, 0.69, "69 %"),
        (percent, 1.0, "100 %"),
        (milliseconds, 0.0138, "13.8 ms"),
        (milliseconds, 2.345, "2.35 s"),
        (usd, 0.0000435, "$0.0000435"),
        (usd, 3.0, "$3"),
        (usd, 12_345.6, "$12,346"),
        (span, 2_592_000.0, "30 days"),
        (span, 7_200.0, "2 hours"),
        (span, 180.0, "3 minutes"),
        (span, 90.0, "90 seconds"),
    ],
)
def test_numbers_are_short_and_never_have_an_exponent(write: Callable[[float], str], value: float, text: str) -> None:
    assert write(value) == text


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


def test_the_highest_value_stays_below_a_round_mark() -> None:
    drawn = plot("T", [Line("a", "one", [0, 7.0, 3.5])], short)
    assert [text for _, text in drawn.marks] == ["0", "5", "10"]
    (left, zero), (_, seven), (right, _) = points(drawn.curves[0].path)
    assert 0 < left < right < WIDTH
    assert drawn.marks[2][0] < seven < drawn.marks[1][0] < zero == drawn.marks[0][0] < HEIGHT
    assert drawn.curves[0].now == "3.5"
    assert drawn.summary == "T, last 15 minutes: a now 3.5, at most 7"
    assert not drawn.empty


@pytest.mark.parametrize(("highest", "mark"), [(0.03, "0.05"), (1.0, "1"), (1.1, "2"), (2.2, "2.5"), (480.0, "500")])
def test_marks_are_round(highest: float, mark: str) -> None:
    assert plot("T", [Line("a", "one", [highest])], short).marks[2][1] == mark


def test_where_nothing_is_known_nothing_is_drawn() -> None:
    drawn = plot("T", [Line("a", "one", [None, 1.0, None, None, 2.0, 3.0, None])], percent, 1.0)
    path = drawn.curves[0].path
    assert path.count("M") == 2
    assert path.count("h2") == 1, "a value that stands alone is a dot"
    assert drawn.curves[0].now == UNKNOWN
    empty = plot("T", [Line("a", "one", []), Line("b", "two", [None]), Line("c", "bad", [0.0, 0.0])], short)
    assert empty.empty
    assert [curve.path for curve in empty.curves] == ["", "", ""]
    assert "a none; b none; c now 0" in empty.summary


def test_what_lies_above_the_top_is_drawn_at_it() -> None:
    drawn = plot("T", [Line("a", "one", [3.0, 1.0])], percent, 1.0)
    assert {y for _, y in points(drawn.curves[0].path)} == {drawn.marks[2][0]}


def test_cosines_have_shades_and_a_vector_of_nothing_is_like_nobody() -> None:
    content = {"data": [{"embedding": [1.0, 0.0]}, {"embedding": [2.0, 0.0]}, {"embedding": [0.0, 0.0]}]}
    found = alike(content)
    assert found.dimensions == 2
    assert found.cosines == [[(1.0, 4), (1.0, 4), (0.0, 0)], [(1.0, 4), (1.0, 4), (0.0, 0)], [(0.0, 0)] * 3]
    opposite = alike({"data": [{"embedding": [1.0]}, {"embedding": [-1.0]}]})
    assert opposite.cosines[0][1] == (-1.0, 0)


def test_a_ranking_names_where_each_document_was() -> None:
    found = ranked(
        {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}, ["a", "b"]
    )
    assert [(rank.place, rank.sent, rank.text, rank.score) for rank in found] == [(1, 2, "b", 0.9), (2, 1, "a", 0.1)]
