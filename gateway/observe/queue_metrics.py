"""E: the metrics of the queues in front of backends."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge
from prometheus_client.multiprocess import mark_process_dead

from gateway.observe.histograms import Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_WAITS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class QueueMetrics:
    """How long calls wait for a backend, and how often a backend made a key pause."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "gateway_upstream_queue_seconds",
            "Time a call waited for its turn at a backend, where it had to ask for one.",
            ("backend", "lane"),
            buckets=_WAITS,
            registry=registry,
        )
        paused = Counter(
            "gateway_upstream_paused", "Pauses of a key after a backend's 429.", ("backend",), registry=registry
        )
        unwell = Gauge(
            "gateway_upstream_unwell",
            "1 while a worker leaves a backend alone for a model, by why: its breaker is open or half_open, or it "
            "drifted.",
            ("backend", "model", "state"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        ejected = Counter(
            "gateway_upstream_ejected", "Times a backend was left alone for others.", ("backend",), registry=registry
        )
        misfits = Counter(
            "gateway_upstream_misfits",
            "Calls whose key, address or model a backend refused: the configuration is wrong, alert on any.",
            ("backend",),
            registry=registry,
        )
        hedged = Counter(
            "gateway_upstream_hedged",
            "Calls sent to this backend, too, as another took long.",
            ("backend",),
            registry=registry,
        )
        drifts = Counter(
            "gateway_upstream_drifts",
            "Canaries that found a backend (or, without a name, all of them) in another vector space: alert on any.",
            ("backend", "revision"),
            registry=registry,
        )
        self.drifts = cache(drifts.labels)
        self.unwell = cache(unwell.labels)
        self.ejected = cache(ejected.labels)
        self.misfits = cache(misfits.labels)
        self.hedged = cache(hedged.labels)
        self.seconds = cache(seconds.labels)
        self.paused = cache(paused.labels)


def forget_dead_workers(folder: str) -> None:
    """Drop the gauges of workers that are gone: nobody waits in them any more."""
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = path.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]
