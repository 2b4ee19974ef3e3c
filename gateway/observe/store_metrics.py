"""E: metrics of what all gateways share, asked for at a scrape by the worker that answers it: the store, open jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

_GAUGES: Mapping[str, str] = {
    "gateway_store_up": "1 if the store answered in time when this was scraped, else 0.",
    "gateway_store_answer_seconds": "How long the store took to say how it is.",
    "gateway_store_nodes": "Servers that hold keys: 1, or the primaries of a cluster.",
    "gateway_store_memory_bytes": "Memory that the store uses; figures of a cluster are sums.",
    "gateway_store_memory_limit_bytes": "Its maxmemory, 0 for none.",
    "gateway_store_keys": "Keys in the store, those of other users included.",
    "gateway_store_clients": "Connections to the store.",
}
_COUNTERS: Mapping[str, str] = {
    "gateway_store_commands": "Commands that the store has run.",
    "gateway_store_evicted_keys": "Keys that it dropped for want of memory.",
    "gateway_store_expired_keys": "Keys whose time was over.",
    "gateway_store_keyspace_hits": "Look-ups of keys that were there.",
    "gateway_store_keyspace_misses": "Look-ups of keys that were not.",
    "gateway_store_rejected_connections": "Connections that it refused, as it had too many.",
}
_PREFIX = "gateway_store_"


@dataclass(eq=False, slots=True)
class SharedMetrics:
    """A collector. Every gateway of a store tells the same: take the maximum, not the sum.

    `figures` are by the names above without their prefix; what is not known is not shown. `jobs`: open ones by state.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        """What was asked for this scrape."""
        for name, words in _GAUGES.items():
            value = self.figures.get(name.removeprefix(_PREFIX))
            if value is not None:
                yield GaugeMetricFamily(name, words, value)
        for name, words in _COUNTERS.items():
            value = self.figures.get(name.removeprefix(_PREFIX))
            if value is not None:
                yield CounterMetricFamily(name, words, value)
        jobs = _jobs()
        for state, count in self.jobs.items():
            jobs.add_metric((state,), count)
        yield jobs

    def describe(self) -> Iterator[Metric]:
        """Every name and label there may be."""
        yield from (GaugeMetricFamily(name, words) for name, words in _GAUGES.items())
        yield from (CounterMetricFamily(name, words) for name, words in _COUNTERS.items())
        yield _jobs()


def _jobs() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "gateway_batch_jobs_open",
        "Batch jobs that are pending or processing, of the newest hundred.",
        labels=("state",),
    )
