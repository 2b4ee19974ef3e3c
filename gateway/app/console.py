"""E: the console put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.edge.console.console import Console
from gateway.edge.console.playground import Playground
from gateway.edge.console.sources import Sources
from gateway.edge.console.views import Views
from gateway.edge.errors import status_of
from gateway.stores.redis.jobs import RedisJobs

if TYPE_CHECKING:
    from gateway.administration.administrator import Administrator
    from gateway.app.routes import Parts
    from gateway.dispatch.fleet import Fleet
    from gateway.leasing.leases import Leases
    from gateway.ports import Ledger, QuotaStore


def console(  # noqa: PLR0913, PLR0917 - the composition root hands over each part once
    parts: Parts, desk: Administrator, ledger: Ledger, store: QuotaStore, leases: Leases, fleet: Fleet
) -> Console:
    """The console of one worker."""
    pipeline = parts.pipeline
    sources = Sources(
        desk=desk,
        ledger=ledger,
        jobs=RedisJobs(parts.line, parts.keys),
        store=store,
        fleet=fleet,
        clock=parts.clock,
        snapshot=lambda: pipeline.snapshot,
        workers=lambda: leases.rounds.holders,
    )
    playground = Playground(pipeline, parts.clock, parts.observer, status_of)
    return Console(Views(sources, playground), parts.admission, pipeline.snapshot.secret)
