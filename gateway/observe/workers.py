"""E: the metrics of all workers of a gateway, those that are gone included, out of the folder that they share."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import orjson
from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.observe.histograms import samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Labels: TypeAlias = "tuple[tuple[str, str], ...]"
Rows: TypeAlias = "defaultdict[Labels, dict[float | None, float]]"
"""Counts by cell, and a sum under None, by labels."""


class WorkersMetrics:
    """A collector; `bounds` are the classic buckets of the histograms there may be.

    The library puts counters and gauges together. Histograms have many cells, for which its way takes six times as
    long, in a worker that answers nobody meanwhile.
    """

    def __init__(self, folder: str, bounds: Mapping[str, Sequence[float]]) -> None:
        self._folder = Path(folder)
        self._bounds = bounds

    def collect(self) -> Iterator[Metric]:
        """Sums, or what each gauge's mode says."""
        files = {path.name: str(path) for path in self._folder.glob("*.db")}
        histograms = [path for name, path in files.items() if name.startswith("histogram_")]
        others = [path for path in files.values() if path not in histograms]
        yield from MultiProcessCollector.merge(others)  # type: ignore[no-untyped-call]
        for (name, words), rows in _summed(histograms).items():
            family = Metric(name, words, "histogram")
            for labels, cells in rows.items():
                total = cells.pop(None, 0.0)
                counts = {bound: count for bound, count in cells.items() if bound is not None}
                family.samples += samples(name, dict(labels), counts, total, self._bounds[name])
            yield family


def _summed(files: Iterable[str]) -> dict[tuple[str, str], Rows]:
    """What all files hold, by name and meaning of a histogram."""
    found: dict[tuple[str, str], Rows] = defaultdict(lambda: defaultdict(dict))
    for file in files:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
            family, labels, bound = _parsed(key)
            cells = found[family][labels]
            cells[bound] = cells.get(bound, 0.0) + value
    return found


@cache
def _parsed(key: str) -> tuple[tuple[str, str], Labels, float | None]:
    """Name and meaning, labels and upper bound of a cell (None: of the sum), out of prometheus_client's key."""
    name, _, labels, words = orjson.loads(key)
    bound = labels.pop("le", None)
    return (name, words), tuple(labels.items()), None if bound is None else float(bound)
