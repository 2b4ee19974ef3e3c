"""E: the console put together, and what it lives on: figures that every worker tells the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.admit.standing import Standing
from gateway.app.stock import CacheStock
from gateway.dispatch.allowances import allowances
from gateway.edge.console.console import Console
from gateway.edge.console.lately import Lately, word
from gateway.edge.console.playground import Playground
from gateway.edge.console.sources import Sources
from gateway.edge.console.views import Views
from gateway.edge.errors import status_of
from gateway.observe.calls import watched
from gateway.observe.sums import Sums
from gateway.observe.tally import Tally
from gateway.settle.pulse import Pulse
from gateway.stores.redis.jobs import RedisJobs
from gateway.stores.redis.live import RedisLive
from gateway.stores.redis.readings import RedisReadings

if TYPE_CHECKING:
    from gateway.administration.administrator import Administrator
    from gateway.admit.budgets import Budgets
    from gateway.app.routes import Parts
    from gateway.dispatch.fleet import Fleet
    from gateway.leasing.leases import Leases
    from gateway.observe.metrics import Metrics
    from gateway.ports import Ledger, QuotaStore


def console(  # noqa: PLR0913, PLR0917 - the composition root hands over each part once
    parts: Parts,
    desk: Administrator,
    ledger: Ledger,
    store: QuotaStore,
    leases: Leases,
    fleet: Fleet,
    budgets: Budgets,
    metrics: Metrics,
) -> tuple[Console, Pulse]:
    """The console of one worker, and its pulse, which has to run for it."""
    pipeline, clock = parts.pipeline, parts.clock
    live = RedisLive(parts.line, parts.keys)
    sources = Sources(
        desk=desk,
        ledger=ledger,
        jobs=RedisJobs(parts.line, parts.keys),
        store=store,
        fleet=fleet,
        clock=clock,
        snapshot=lambda: pipeline.snapshot,
        workers=lambda: leases.rounds.holders,
        lately=Lately(live, clock),
        standing=Standing(RedisReadings(parts.line, parts.keys, clock.epoch), budgets, allowances),
        stock=CacheStock(parts.line, parts.keys, lambda: pipeline.snapshot.served),
        sums=Sums(metrics).cache,
    )
    playground = Playground(pipeline, clock, parts.observer, status_of, watched)
    pulse = Pulse(live, clock, Tally(metrics.registry).amounts, lambda: word(clock.epoch(), sources.places()))
    return Console(Views(sources, playground, parts.tasks), parts.admission, pipeline.snapshot.secret), pulse
