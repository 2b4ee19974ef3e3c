from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.observe.histograms import observe_all

BOUNDS = (0.5, 1.0, 2.0)


def exposed(values: list[list[float]], *, together: bool) -> bytes:
    registry = CollectorRegistry()
    histogram = Histogram("seconds", "Words.", ("of",), buckets=BOUNDS, registry=registry).labels("x")
    for batch in values:
        if together:
            observe_all(histogram, batch)
        else:
            for value in batch:
                histogram.observe(value)
    return b"\n".join(line for line in generate_latest(registry).splitlines() if b"_created" not in line)


QUARTERS = st.integers(0, 12).map(lambda number: number / 4)
"""Exact in binary, so that sums do not depend on their order; bounds among them."""


@given(st.lists(st.lists(QUARTERS, max_size=9), max_size=4))
def test_many_at_once_are_the_same_as_one_by_one(values: list[list[float]]) -> None:
    assert exposed(values, together=True) == exposed(values, together=False)
