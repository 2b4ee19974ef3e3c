"""E: metrics of a worker itself: which version it is, and how late its event loop runs."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from gateway.observe.histograms import Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from gateway.ports import Clock

PROBE_SECONDS = 0.25
"""Between two probes of the event loop: often enough for a percentile of a minute, and some microseconds each."""

_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class ProcessMetrics:
    """One for a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        build = Gauge(
            "gateway_build_info",
            "1; which version of the gateway runs, on which Python.",
            ("version", "python"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        build.labels(version("gateway"), platform.python_version()).set(1)
        self._lag = Histogram(
            "gateway_loop_lag_seconds",
            "How much later than it wanted a sleeping task of a worker ran: what every call waits for, too.",
            buckets=_LAGS,
            registry=registry,
        )

    async def probe(self, clock: Clock) -> None:
        """Sleep and look how late it is, for ever."""
        while True:
            due = clock.monotonic() + PROBE_SECONDS
            await clock.sleep(PROBE_SECONDS)
            self._lag.observe(max(0.0, clock.monotonic() - due))
