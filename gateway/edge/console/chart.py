"""P: where the bars of a plot go, in the units of an SVG's view box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.edge.console.curves import round_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH = 640
HEIGHT = 160
LEFT = 76
"""What is written beside the marks has so much room."""

_GAP = 0.25
_NAMED = 8
"""So many names fit below."""


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


@dataclass(frozen=True, slots=True)
class Bars:
    """A plot: `write` is how its amounts are written, `marks` are heights and amounts; every `step`th bar is named."""

    title: str
    bars: Sequence[Bar]
    marks: Sequence[tuple[float, str]]
    write: Callable[[float], str]
    step: int

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(bar.lower or bar.upper for bar in self.bars)


def stacked(title: str, values: Sequence[tuple[str, int, int]], write: Callable[[float], str]) -> Bars:
    """A plot with a bar for each name, up to a round number."""
    ceiling = round_up(max((lower + upper for _, lower, upper in values), default=0))
    marks = [(round(HEIGHT * (1 - part), 2), write(part * ceiling)) for part in (0.0, 0.5, 1.0)]
    return Bars(title, bars(values, ceiling), marks, write, -(-len(values) // _NAMED) or 1)


def bars(values: Sequence[tuple[str, int, int]], ceiling: float) -> list[Bar]:
    """One bar for each name with its lower and upper amount; `ceiling` fills the height."""
    if not values:
        return []
    slot = (WIDTH - LEFT) / len(values)
    made = []
    for position, (name, lower, upper) in enumerate(values):
        height, over = HEIGHT * lower / ceiling, HEIGHT * upper / ceiling
        left, width = LEFT + slot * (position + _GAP / 2), slot * (1 - _GAP)
        top = HEIGHT - height
        numbers = [round(number, 2) for number in (left, width, top, height, top - over, over)]
        made.append(Bar(name, lower, upper, *numbers))
    return made
