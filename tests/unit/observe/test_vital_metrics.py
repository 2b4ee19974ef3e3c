from __future__ import annotations

import gc
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fakes.clock import FakeClock
from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.observe.cache_metrics import CacheMetrics
from gateway.observe.document import instruments
from gateway.observe.levels import Growths, Levels
from gateway.observe.runtime_metrics import CollectorWatch, RuntimeMetrics, usage
from gateway.observe.station_metrics import StationMetrics
from gateway.observe.store_metrics import SharedMetrics
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def value(registry: CollectorRegistry, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    return registry.get_sample_value(name, dict(labels or {}))


def test_what_is_gone_rests() -> None:
    registry = CollectorRegistry()
    levels = Levels(Gauge("level", "x", ("of",), registry=registry))
    levels.show({("a",): 3.0, ("b",): 4.0}, {("a",): 9.0})
    levels.show({})
    levels.show({})
    assert [value(registry, "level", {"of": of}) for of in ("a", "b")] == [9.0, 0.0]


def test_a_total_grows_by_what_is_new_and_may_begin_anew() -> None:
    registry = CollectorRegistry()
    growths = Growths(Counter("seen", "x", ("of",), registry=registry))
    for total in (0, 5, 5, 7, 2):
        growths.show({("a",): total})
    assert value(registry, "seen_total", {"of": "a"}) == 9


def test_the_process_is_described() -> None:
    registry, watch = CollectorRegistry(), CollectorWatch(FakeClock())
    watch.begin()
    gc.collect(1)
    watch.end()
    gc.collect(2)
    assert watch.runs == {("0",): 0, ("1",): 1, ("2",): 0}
    used = usage()
    assert 0 < used.files < used.most_files
    assert used.resident_bytes > 1_000_000
    metrics = RuntimeMetrics(registry)
    metrics.show(used, 7, {"main": 3, "admin": 0}, watch)
    for late in (1, 3):
        metrics.show_closed({"late": late, "idle": 0})
    assert value(registry, "gateway_connections", {"listener": "main"}) == 3
    assert [value(registry, "gateway_connections_closed_total", {"reason": why}) for why in ("late", "idle")] == [3, 0]
    assert value(registry, "gateway_tasks") == 7
    assert value(registry, "gateway_open_files") == used.files
    assert value(registry, "gateway_gc_collections_total", {"generation": "1"}) == 1


def test_a_run_of_the_collector_is_timed() -> None:
    clock = FakeClock()
    watch = CollectorWatch(clock)
    watch.told("start", {"generation": 2})
    clock.now += 0.05
    watch.told("stop", {"generation": 2})
    assert round(watch.seconds["2",], 6) == 0.05


def test_the_layer_and_the_stations_are_described() -> None:
    registry = CollectorRegistry()
    layer: Any = SimpleNamespace(entries=2, weight=10, limit_bytes=100, evicted=3, found=5, missing=4)
    CacheMetrics(registry).show(layer)
    names = ("memory_entries", "memory_bytes", "memory_limit_bytes", "memory_evictions_total")
    assert [value(registry, f"gateway_{name}") for name in names] == [2, 10, 100, 3]
    assert value(registry, "gateway_cache_lookups_total", {"outcome": "found"}) == 5
    waiting, running = {Lane.BULK: 3, Lane.INTERACTIVE: 0}, {Lane.BULK: 0, Lane.INTERACTIVE: 2}
    station: Any = SimpleNamespace(waiting=waiting.__getitem__, running=running.__getitem__)
    stations = StationMetrics(registry)
    stations.show({"jina": station}, {("embeddings", "r"): 6})
    stations.show_degraded({"limits": True, "cache": False})
    assert value(registry, "gateway_upstream_queue_length", {"backend": "jina", "lane": "bulk"}) == 3
    assert value(registry, "gateway_upstream_running", {"backend": "jina", "lane": "interactive"}) == 2
    assert value(registry, "gateway_upstream_retries_total", {"endpoint": "embeddings", "revision": "r"}) == 6
    assert [value(registry, "gateway_degraded", {"mode": mode}) for mode in ("limits", "cache")] == [1, 0]


def test_a_store_that_is_away_is_said_to_be_and_nothing_else() -> None:
    shared = SharedMetrics({"up": 0.0})
    assert [sample.name for family in shared.collect() for sample in family.samples] == ["gateway_store_up"]
    full = SharedMetrics({one.name.removeprefix("gateway_store_"): 1.0 for one in shared.describe()}, {"pending": 2})
    told = {family.name for family in full.collect()}
    assert told == {family.name for family in shared.describe()}
    assert told <= {one.name.removesuffix("_total") for one in instruments()}


WORKER = """
import sys
from prometheus_client import CollectorRegistry
from gateway.observe.levels import Levels
from gateway.observe.meter_metrics import MeterMetrics
from gateway.observe.metrics import Metrics
from gateway.observe.runtime_metrics import CollectorWatch, RuntimeMetrics, Usage
from gateway.clock import SystemClock
from gateway.leasing.lease import Lease
from gateway.vocabulary import Limits, Meter, Scope

number = int(sys.argv[1])
metrics = Metrics()
lease = Lease(Meter("t:search", Scope.TENANT, Limits(10, None, 4)), "holder", 0.0)
lease.take(2 * number, 0, number, 1.0)
MeterMetrics(metrics.registry, str).show_limits([lease], 1.0)
used = Usage(10 * number, 100 * number, 1_000, 0.5)
RuntimeMetrics(metrics.registry).show(used, 5, {"main": number}, CollectorWatch(SystemClock()))
print(flush=True)
sys.stdin.readline()
print(metrics.render()[0].decode(), flush=True)
sys.stdin.readline()
"""


def test_gauges_of_several_workers_are_one_figure(tmp_path: Path) -> None:
    """Sums of what each has, the worst of what each believes."""
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, number], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        for number in ("1", "2")
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    told = workers[0].communicate(b"\n\n")[0].decode()
    workers[1].communicate(b"\n\n")
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if line and not line.startswith("#"))
    assert {name: float(lines[name]) for name in lines if "limit" in name or "open" in name or "conn" in name} == {
        'gateway_limit_used{tenant="search",window="requests"}': 4,
        'gateway_limit_remaining{tenant="search",window="requests"}': 6,
        'gateway_limit_running{tenant="search"}': 3,
        'gateway_connections{listener="main"}': 3,
        "gateway_open_files": 20,
        "gateway_open_files_limit": 100,
    }
    assert (float(lines["gateway_tasks"]), float(lines["gateway_cpu_seconds_total"])) == (10, 1)
