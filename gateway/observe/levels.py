"""E: gauges and counters that follow values which somebody else keeps, read now and then instead of told each time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from prometheus_client import Counter, Gauge

Labels = tuple[str, ...]
_Of = TypeVar("_Of", bound=Labels)


class Levels:
    """A gauge by labels. What was shown before and is there no more takes its resting value.

    Series cannot be removed where several processes share a folder, so a limit that nobody uses is shown as whole, and
    a queue that is gone as empty.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._child = cache(gauge.labels)
        self._resting: dict[Labels, float] = {}

    def show(self, values: Mapping[Labels, float], resting: Mapping[Labels, float] | None = None) -> None:
        """All there is now; `resting` says what a value is once it is gone, 0 by default."""
        for labels in self._resting.keys() - values.keys():
            self._child(*labels).set(self._resting.pop(labels))
        for labels, value in values.items():
            self._child(*labels).set(value)
            self._resting[labels] = resting.get(labels, 0.0) if resting else 0.0


class Growths:
    """Counters by labels that follow totals kept elsewhere: each look adds what came since the last one."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._child = cache(counter.labels)
        self._seen: dict[Hashable, float] = {}

    def show(self, totals: Mapping[_Of, float]) -> None:
        """All there is now; a total that shrank began anew, at nothing."""
        for labels, total in totals.items():
            before = self._seen.get(labels, 0.0)
            child = self._child(*labels) if labels else self._counter
            child.inc(total - before if total >= before else total)
            self._seen[labels] = total
