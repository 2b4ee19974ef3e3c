"""E: the fast path of a worker, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.edge.fast_calls import FastCalls
from gateway.fast.formed import FormedCalls
from gateway.fast.lists import ListedCalls
from gateway.fast.means import Means
from gateway.fast.path import FastPath
from gateway.fast.reports import Reports

if TYPE_CHECKING:
    from gateway.admit.bulk_gate import BulkGate
    from gateway.app.cache import Cached
    from gateway.app.routes import Parts
    from gateway.leasing.leases import Leases


def fast_calls(parts: Parts, leases: Leases, bulk_gate: BulkGate, cache: Cached) -> FastCalls:
    """What stands before the HTTP parser of a worker's connections."""
    means = Means(
        pipeline=parts.pipeline,
        leases=leases,
        trace=cache.trace,
        bulk_gate=bulk_gate,
        books=parts.books,
        observer=parts.observer,
        clock=parts.clock,
        tasks=parts.tasks,
        reports=Reports(parts.clock, parts.tasks),
    )
    parts.observer.before_render(means.reports.now)
    path = FastPath(means, cache.answers, parts.pipeline.snapshot.config.cache.memory)
    formed = FormedCalls(means, cache.answers, cache.sources)
    return FastCalls(path, formed, ListedCalls(means, formed, cache.answers), parts.clock)
