from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Classic

from gateway.observe.document import instruments
from gateway.observe.exposition import PROTOBUF
from gateway.observe.histograms import Histogram, bounds_in
from gateway.observe.metrics import Metrics
from gateway.observe.native import SCHEMA, ZERO_THRESHOLD

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.samples import NativeHistogram

BOUNDS = (0.5, 0.6, 1.0, 2.0)
"""Three of them are bounds of native buckets, too."""


def counted(kind: type[Classic], values: list[list[float]], *, together: bool) -> CollectorRegistry:
    registry = CollectorRegistry()
    histogram = kind("seconds", "Words.", ("of",), buckets=BOUNDS, registry=registry).labels("x")
    for batch in values:
        if together and isinstance(histogram, Histogram):
            histogram.observe_all(batch)
        else:
            for value in batch:
                histogram.observe(value)
    return registry


def exposed(kind: type[Classic], values: list[list[float]], *, together: bool = False) -> bytes:
    text = generate_latest(counted(kind, values, together=together))
    return b"\n".join(line for line in text.splitlines() if b"_created" not in line)


def native_of(registry: CollectorRegistry) -> NativeHistogram:
    (found,) = [one.native_histogram for family in registry.collect() for one in family.samples if one.native_histogram]
    return found


QUARTERS = st.integers(0, 12).map(lambda number: number / 4)
"""Exact in binary, so that sums do not depend on their order; bounds among them."""

BATCHES = st.lists(st.lists(QUARTERS, max_size=9), max_size=4)


@given(BATCHES)
def test_the_text_is_that_of_the_librarys_own_histogram(values: list[list[float]]) -> None:
    assert exposed(Histogram, values) == exposed(Classic, values)


@given(BATCHES)
def test_many_at_once_are_the_same_as_one_by_one(values: list[list[float]]) -> None:
    assert exposed(Histogram, values, together=True) == exposed(Histogram, values)


@given(st.lists(st.floats(0, 4000)))
def test_a_value_is_in_the_native_bucket_around_it(values: list[float]) -> None:
    found = native_of(counted(Histogram, [values], together=False))
    counts, at, count = {}, 0, 0
    deltas = iter(found.pos_deltas or ())
    for gap, length in found.pos_spans or ():
        at += gap
        for _ in range(length):
            count += next(deltas)
            counts[at] = count
            at += 1
    assert (found.count_value, found.schema, found.zero_threshold) == (len(values), SCHEMA, ZERO_THRESHOLD)
    assert found.zero_count == sum(value <= ZERO_THRESHOLD for value in values)
    assert sum(counts.values()) + found.zero_count == len(values)
    for at, count in counts.items():
        low, high = 2 ** ((at - 1) / 2**SCHEMA), 2 ** (at / 2**SCHEMA)
        inside = sum(low * (1 - 1e-12) < value <= high * (1 + 1e-12) for value in values)
        assert inside >= count > 0


def test_no_value_is_lost_at_either_end() -> None:
    found = native_of(counted(Histogram, [[0.0, 1e-9, 1e6, math.inf]], together=True))
    assert (found.zero_count, found.pos_deltas) == (2, (2,))


def test_every_histogram_is_of_this_kind_and_its_bounds_are_known() -> None:
    """Of the registries that `instruments` makes, all parts of Metrics are here; the other two are the observer's and
    the worker's own."""
    known = {one.name for one in instruments() if one.histogram}
    here = bounds_in(Metrics().registry)
    assert here.keys() == known - {"gateway_upstream_queue_seconds", "gateway_loop_lag_seconds"}
    assert all(bounds[-1] == math.inf for bounds in here.values())


WORKER = f"""
import json, sys
from gateway.observe.metrics import Metrics

metrics = Metrics()
latency = metrics.latency("embeddings")
latency.observe(0.25)
latency.observe_all([0.3, float(sys.argv[1])])
print(metrics.render()[0].decode(), flush=True)
print(metrics.render({PROTOBUF!r})[0].hex(), flush=True)
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_that_are_gone_are_in_the_sum(workers: int, tmp_path: Path) -> None:
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for number in range(workers):
        command = [sys.executable, "-c", WORKER, str(number + 7)]
        told = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if line.startswith("gateway_request_seconds_"))
    labels = '{endpoint="embeddings"'
    assert lines[f'gateway_request_seconds_bucket{labels},le="0.25"}}'] == f"{workers}.0"
    assert lines[f'gateway_request_seconds_bucket{labels},le="5.0"}}'] == f"{2 * workers}.0"
    assert lines[f"gateway_request_seconds_count{labels}}}"] == f"{3 * workers}.0"
    assert float(lines[f"gateway_request_seconds_sum{labels}}}"]) == pytest.approx(
        workers * 0.55 + sum(range(7, workers + 7))
    )
    assert len(lines) == 19, json.dumps(lines)
