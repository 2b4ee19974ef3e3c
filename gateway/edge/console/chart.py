"""P: where the bars of a plot go, in the units of an SVG's view box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 640
HEIGHT = 160

_GAP = 0.25


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of two parts, one upon the other; `top` and `height` are those of the lower, `over_*` of the upper."""

    name: str
    lower: int
    upper: int
    left: float
    width: float
    top: float
    height: float
    over_top: float
    over_height: float


def bars(values: Sequence[tuple[str, int, int]]) -> list[Bar]:
    """One bar for each name with its lower and upper amount; the highest fills the height."""
    if not values:
        return []
    most = max(lower + upper for _, lower, upper in values) or 1
    slot = WIDTH / len(values)
    made = []
    for position, (name, lower, upper) in enumerate(values):
        height, over = HEIGHT * lower / most, HEIGHT * upper / most
        left, width = slot * (position + _GAP / 2), slot * (1 - _GAP)
        top = HEIGHT - height
        numbers = [round(number, 2) for number in (left, width, top, height, top - over, over)]
        made.append(Bar(name, lower, upper, *numbers))
    return made
