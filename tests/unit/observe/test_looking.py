"""What the console reads of a worker's metrics and of all workers', and which calls belong to which request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

from gateway.observe.cache_metrics import CacheMetrics
from gateway.observe.calls import note, watched
from gateway.observe.document import instruments
from gateway.observe.metrics import Metrics
from gateway.observe.sums import MEMORY, SAVED, Sums
from gateway.observe.tally import _NAMES as READ
from gateway.observe.tally import Tally

if TYPE_CHECKING:
    from typing import Any


def filled() -> Metrics:
    metrics = Metrics()
    for endpoint, status, count in (
        ("embeddings", 200, 3),
        ("embeddings", 429, 2),
        ("rerank", 503, 1),
        ("live", 200, 9),
    ):
        metrics.request(endpoint, str(status), "OK").inc(count)
        metrics.latency(endpoint).observe(0.004)
    for outcome, count in (("hit", 5), ("duplicate", 1), ("miss", 4)):
        metrics.units("embeddings", outcome).inc(count)
    metrics.tokens("m", "reported").inc(40)
    metrics.tokens("m", "upstream").inc(15)
    metrics.tenant_tokens("shop", "reported").inc(40)
    metrics.tenant_tokens("shop", "upstream").inc(15)
    metrics.saved("tokens", "m", "stored").inc(25)
    metrics.saved("dollars", "m", "stored").inc(0.000_000_5)
    metrics.saved("seconds", "m", "stored").inc(1.5)
    metrics.upstream("jina", "embeddings", "answered").inc(2)
    return metrics


async def test_a_tally_counts_work_and_neither_probes_nor_pages() -> None:
    amounts = await Tally(filled().registry).amounts()
    buckets = {name: count for name, count in amounts.items() if name.startswith("under:")}
    assert {name: count for name, count in amounts.items() if name not in buckets} == {
        "requests": 6,
        "refused": 2,
        "failed": 1,
        "units": 10,
        "hits": 6,
        "tokens": 40,
        "paid": 15,
        "t:shop": 40,
        "saved": 25,
        "saved_nanos": 500,
        "calls": 2,
    }
    assert (buckets["under:0.0025"], buckets["under:0.005"], buckets["under:inf"]) == (0, 3, 3)


def test_a_tally_reads_metrics_that_there_are() -> None:
    """Without this, one that is called otherwise would quietly be nothing on every chart."""
    series = {name for instrument in instruments() for name in instrument.series}
    assert set(READ) <= series
    assert set(SAVED) | set(MEMORY) <= series


async def test_sums_are_by_model_and_cause_and_by_endpoint() -> None:
    metrics = filled()
    layer: Any = SimpleNamespace(entries=2, weight=10, limit_bytes=100, evicted=3, found=5, missing=4)
    CacheMetrics(metrics.registry).show(layer)
    saved, units, memory = await Sums(metrics).cache()
    assert saved == {("m", "stored"): {"tokens": 25.0, "usd": 0.000_000_5, "seconds": 1.5}}
    assert units == {"embeddings": {"hit": 5.0, "duplicate": 1.0, "miss": 4.0}}
    assert memory == {"entries": 2.0, "bytes": 10.0, "most": 100.0, "evicted": 3.0}


async def test_calls_belong_to_the_request_that_made_them() -> None:
    seen: dict[str, Any] = {}

    async def request(name: str) -> None:
        with watched() as calls:
            await asyncio.create_task(call(name))
            seen[name] = calls

    async def call(name: str) -> None:
        await asyncio.sleep(0)
        note(name, "answered", 0.1, 3)

    await asyncio.gather(request("a"), request("b"), call("nobody's"))
    assert seen == {"a": [("a", "answered", 0.1, 3)], "b": [("b", "answered", 0.1, 3)]}
