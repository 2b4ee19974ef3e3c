"""E: metrics of what waits and runs at backends, of calls sent again, and of what a worker does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.observe.levels import Growths, Levels
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from gateway.dispatch.station import Station


class StationMetrics:
    """Sums over workers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Levels(Gauge(
            "gateway_upstream_queue_length", "Calls that wait for their turn at a backend.",
            ("backend", "lane"), registry=registry, multiprocess_mode="livesum"))  # fmt: skip
        self._running = Levels(Gauge(
            "gateway_upstream_running", "Calls that have their turn at a backend.",
            ("backend", "lane"), registry=registry, multiprocess_mode="livesum"))  # fmt: skip
        self._retries = Growths(Counter(
            "gateway_upstream_retries", "Calls that were sent again, after one that failed; hedges are counted apart.",
            ("endpoint", "revision"), registry=registry))  # fmt: skip
        self._degraded = Levels(Gauge(
            "gateway_degraded",
            "1 while a worker goes on with less: limits (decided without the store), cache (not asked), config (a "
            "changed file is not in force).",
            ("mode",), registry=registry, multiprocess_mode="livemax"))  # fmt: skip

    def show(self, stations: Mapping[str, Station], retries: Mapping[tuple[str, str], int]) -> None:
        """All there is now."""
        lanes = [(name, station, lane) for name, station in stations.items() for lane in Lane]
        self._waiting.show({(name, lane.value): station.waiting(lane) for name, station, lane in lanes})
        self._running.show({(name, lane.value): station.running(lane) for name, station, lane in lanes})
        self._retries.show(retries)

    def show_degraded(self, modes: Mapping[str, bool]) -> None:
        """Which modes are on."""
        self._degraded.show({(mode,): float(on) for mode, on in modes.items()})
