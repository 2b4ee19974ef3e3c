"""E: what a worker and the store tell of themselves, read every two seconds and for each scrape, as metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.edge.deadlines import CLOSED
from gateway.errors import StoreError
from gateway.observe.cache_metrics import CacheMetrics
from gateway.observe.meter_metrics import Account, MeterMetrics
from gateway.observe.runtime_metrics import CollectorWatch, RuntimeMetrics, usage
from gateway.observe.station_metrics import StationMetrics
from gateway.observe.store_metrics import SharedMetrics
from gateway.ports.jobs import State
from gateway.stores.redis.health import figures
from gateway.stores.redis.jobs import RedisJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.dispatch.fleet import Fleet
    from gateway.dispatch.shaper import Shaper
    from gateway.edge.server import HttpServer
    from gateway.leasing.leases import Leases
    from gateway.observe.metrics import Metrics
    from gateway.ports import Clock
    from gateway.stores.layered import LayeredAnswers
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

SAMPLE_SECONDS = 2.0
"""Another worker's gauges may be so old in a scrape; a look takes a fraction of a millisecond."""

JOBS_LOOKED_AT = 100
LISTENERS = ("main", "admin")


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows what is shown; `quota` and `cache` lead to the stores."""

    leases: Leases
    shaper: Shaper
    fleet: Fleet
    layer: LayeredAnswers
    quota: Line
    cache: Line
    keys: Keys


class Vitals:
    """Nothing here is told by requests: whoever has a number keeps it, and it is fetched from there.

    `servers` are those of LISTENERS, as far as they are open; `stale` says why the configuration is not in force.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: Clock,
        sources: Sources,
        servers: Callable[[], Sequence[HttpServer]],
        stale: Callable[[], str],
    ) -> None:
        registry = metrics.registry
        self._metrics = metrics
        self._clock = clock
        self._sources = sources
        self._servers = servers
        self._stale = stale
        self._jobs = RedisJobs(sources.quota, sources.keys)
        self._runtime = RuntimeMetrics(registry)
        self._cache = CacheMetrics(registry)
        self._meters = MeterMetrics(registry, metrics.limits.tenant)
        self._stations = StationMetrics(registry)
        self._shared = SharedMetrics()
        self._collector = CollectorWatch(clock)

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        self._collector.begin()
        try:
            while True:
                await self.look()
                await self._clock.sleep(SAMPLE_SECONDS)
        finally:
            self._collector.end()

    async def render(self, accept: str = "") -> tuple[bytes, str]:
        """Everything in a form that an Accept header wants, and its content type."""
        await self.look()
        await self._ask_the_store()
        return self._metrics.render(accept, self._shared)

    async def look(self) -> None:
        """Read what this worker knows."""
        sources, now = self._sources, self._clock.monotonic()
        used = await asyncio.to_thread(usage)
        connections = {name: len(server.connections) for name, server in zip(LISTENERS, self._servers(), strict=False)}
        self._runtime.show(used, len(asyncio.all_tasks()), connections, self._collector)
        counts = [server.deadlines.closed for server in self._servers()]
        self._runtime.show_closed({reason: sum(count[reason] for count in counts) for reason in CLOSED})
        self._cache.show(sources.layer)
        self._meters.show_limits(sources.leases.held, now)
        self._meters.show_refusals(sources.leases.refusals)
        self._meters.show_accounts(self._accounts(), now)
        self._stations.show(sources.shaper.stations, sources.fleet.retries())
        self._stations.show_degraded({
            "limits": sources.leases.down,
            "cache": sources.cache.resting,
            "config": bool(self._stale()),
        })  # fmt: skip

    def _accounts(self) -> Iterator[Account]:
        """Our keys at backends that were asked so far."""
        held = {lease.meter.subject: lease for lease in self._sources.leases.held}
        for name, station in self._sources.shaper.stations.items():
            for place, key in enumerate(station.pool.keys):
                yield Account(name, str(place), key.meter.limits, held.get(key.meter.subject), key.paused_until)

    async def _ask_the_store(self) -> None:
        asked = self._clock.monotonic()
        try:
            known = await figures(self._sources.quota)
            jobs = await self._jobs.newest(None, JOBS_LOOKED_AT)
        except StoreError:
            self._shared.figures, self._shared.jobs = {"up": 0.0}, {}
            return
        spent = self._clock.monotonic() - asked
        self._shared.figures = known | {"up": 1.0, "answer_seconds": spent}
        states = [job.state for job in jobs]
        self._shared.jobs = {state.value: states.count(state) for state in (State.PENDING, State.PROCESSING)}
