"""E: histograms that are classic and native ones at once, at the cost of one.

prometheus_client makes classic histograms only, and has no public way to other buckets. Here a value is counted once,
in a cell of a grid that is finer than both kinds of buckets (gateway.observe.native); they are added up at a scrape.
Cells are prometheus_client's own values under its own keys, so that workers share them as they share the rest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from prometheus_client import Histogram as Classic
from prometheus_client import values
from prometheus_client.samples import BucketSpan, NativeHistogram, Sample
from prometheus_client.utils import floatToGoString

from gateway.observe.late import OWED, is_counting_thread
from gateway.observe.native import SCHEMA, ZERO_THRESHOLD, classic, grid, native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client import CollectorRegistry

_MAKING = Lock()


class Histogram(Classic):
    """As prometheus_client's, in use and in the text format; its counts carry a native histogram, too."""

    _late: list[float]

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002 - the base's
        """Count a value, of one that has labels: of a child; only the main thread may (late.py)."""
        if not self._late:
            OWED.append(self.write)
        self._late.append(amount)

    def write(self) -> None:
        """Bring what was observed to where it is kept."""
        late, self._late = self._late, []
        self.observe_all(late)

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Count many values at once, with an increment a cell instead of two a value."""
        ascending, counted = sorted(amounts), 0
        while counted < len(ascending):
            at = bisect_left(self._grid, ascending[counted])
            upto = bisect_right(ascending, self._grid[at], counted)
            self._cells[at].inc(upto - counted)
            counted = upto
        self._sum.inc(sum(ascending))

    def _metric_init(self) -> None:
        """The base's hook: called where values are kept, so for a child, or for a metric without labels."""
        self._late = []
        self._grid = grid(tuple(self._upper_bounds))
        self._sum = self._value("_sum")
        self._cells = _Cells(lambda at: self._value("_bucket", _words(self._grid[at])))

    def _value(self, suffix: str, *bound: str) -> Any:  # noqa: ANN401 - of a class that is chosen at run time
        names = (*self._labelnames, "le") if bound else self._labelnames
        labels = (*self._labelvalues, *bound)
        return values.ValueClass(self._type, self._name, self._name + suffix, names, labels, self._documentation)

    def _child_samples(self) -> tuple[Sample, ...]:
        """The base's hook: what is shown of one child."""
        if self._late and is_counting_thread():
            self.write()
        cells = {self._grid[at]: value.get() for at, value in list(self._cells.items())}
        return tuple(samples("", {}, cells, self._sum.get(), self._upper_bounds))


class _Cells(dict[int, Any]):
    """Made when a value first falls into them: of the hundreds there are, a histogram needs a few dozen."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, at: int) -> Any:  # noqa: ANN401 - see above
        with _MAKING:
            if at not in self:
                self[at] = self._make(at)
            return self[at]


def samples(
    name: str, labels: dict[str, str], cells: Mapping[float, float], total: float, bounds: Sequence[float]
) -> Iterator[Sample]:
    """What is shown of counts by cell: classic buckets, their count with the native histogram, the sum."""
    below = 0.0
    for bound, below in classic(cells, bounds):
        yield Sample(f"{name}_bucket", {**labels, "le": _words(bound)}, below)
    zero_count, spans, deltas = native(cells)
    also = NativeHistogram(
        below, total, SCHEMA, ZERO_THRESHOLD, zero_count, [BucketSpan(*span) for span in spans], None, deltas
    )
    yield Sample(f"{name}_count", labels, below, None, None, also)
    yield Sample(f"{name}_sum", labels, total)


@cache
def _words(bound: float) -> str:
    """A bound as the text format writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def bounds_in(registry: CollectorRegistry) -> dict[str, list[float]]:
    """The classic bounds of all histograms by name; the library keeps what is registered to itself."""
    known = list(registry._collector_to_names)  # noqa: SLF001 - see above
    return {one._name: one._upper_bounds for one in known if isinstance(one, Histogram)}  # noqa: SLF001 - see above
