"""P: where the lines of a plot over time go, in the units of an SVG's view box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNKNOWN = "\N{EN DASH}"

WIDTH = 320
HEIGHT = 132

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 6, 8, 20
_STEPS = (1, 2, 2.5, 5, 10)
_THOUSAND = 1_000
_SMALL = 10
_LITTLE, _FAINT = 0.1, 0.0005
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: `kind` is its class in the style sheet, `path` an SVG path, empty where there is nothing to draw."""

    name: str
    kind: str
    path: str
    now: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over the same time; `marks` are heights and what is written there, `hours` the same across."""

    title: str
    summary: str
    curves: Sequence[Curve]
    marks: Sequence[tuple[float, str]]
    empty: bool


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be drawn: a value for each stretch of time, None where there is none."""

    name: str
    kind: str
    values: Sequence[float | None]


def plot(title: str, lines: Sequence[Line], shown: Callable[[float], str], top: float | None = None) -> Plot:
    """Lines from zero up to `top`, by default a round number above the highest value."""
    known = [value for line in lines for value in line.values if value is not None]
    ceiling = top or round_up(max(known, default=0.0))
    curves = [
        Curve(line.name, line.kind, _path(line.values, ceiling) if any(line.values) else "", _last(line.values, shown))
        for line in lines
    ]
    marks = [(_y(part * ceiling, ceiling), shown(part * ceiling)) for part in (0.0, 0.5, 1.0)]
    summary = f"{title}, last 15 minutes: " + "; ".join(_said(line, shown) for line in lines)
    return Plot(title, summary, curves, marks, not any(known))


def short(value: float) -> str:
    """A number in few letters: 0, 0.04, 1.5, 120, 1.2k, 3M."""
    for size, letter in ((_THOUSAND**3, "G"), (_THOUSAND**2, "M"), (_THOUSAND, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return _three_digits(value) if value < _SMALL else f"{value:.0f}"


def percent(value: float) -> str:
    """A part of one; small ones keep a digit more, and what is not nothing does not look so."""
    if 0 < value < _FAINT:
        return "<0.1 %"
    return f"{100 * value:.0f} %" if value >= _LITTLE or not value else f"{100 * value:.1f} %"


def milliseconds(value: float) -> str:
    """Seconds in the unit that is read most easily."""
    return f"{value:.3g} s" if value >= 1 else f"{value * _THOUSAND:.3g} ms"


def usd(value: float) -> str:
    """Dollars; small amounts keep three digits."""
    return f"${_three_digits(value)}" if value < _SMALL else f"${value:,.0f}"


def span(seconds: float) -> str:
    """A length of time in the largest unit that it has a few of."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def _three_digits(value: float) -> str:
    """Three digits that tell something, never with an exponent."""
    if value < _TINY:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(value)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _path(values: Sequence[float | None], ceiling: float) -> str:
    """Straight lines between neighbours; a value that stands alone is a dot."""
    parts, begun = [], False
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(values) - 1)
    for position, value in enumerate(values):
        if value is None:
            begun = False
            continue
        parts.append(f"{'L' if begun else 'M'}{_LEFT + position * step:.1f} {_y(value, ceiling):.1f}")
        alone = not begun and (position + 1 == len(values) or values[position + 1] is None)
        parts.append("m-1 0h2" if alone else "")
        begun = True
    return "".join(parts)


def _y(value: float, ceiling: float) -> float:
    height = HEIGHT - _TOP - _BOTTOM
    return round(_TOP + height * (1 - min(1.0, value / ceiling)), 1)


def round_up(value: float) -> float:
    """A number that is easy to read, at least as high; 1 for nothing."""
    if value <= 0:
        return 1.0
    size = 1.0
    while size * _STEPS[-1] < value:
        size *= 10
    while size >= value:
        size /= 10
    return next(size * step for step in _STEPS if size * step >= value)


def _last(values: Sequence[float | None], shown: Callable[[float], str]) -> str:
    value = values[-1] if values else None
    return UNKNOWN if value is None else shown(value)


def _said(line: Line, shown: Callable[[float], str]) -> str:
    known = [value for value in line.values if value is not None]
    if not known:
        return f"{line.name} none"
    return f"{line.name} now {_last(line.values, shown)}, at most {shown(max(known))}"
