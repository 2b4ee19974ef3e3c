"""E: one worker's gateway put together; start, drain, close."""

from __future__ import annotations

import asyncio
import gc
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.administration.administrator import Administrator
from gateway.administration.follower import Follower
from gateway.admit.budgets import Budgets
from gateway.admit.bulk_gate import BulkGate
from gateway.admit.estimate import YARDSTICK, Estimator
from gateway.admit.reservation import Admission
from gateway.app.cache import cached
from gateway.app.console import console
from gateway.app.fast import fast_calls
from gateway.app.leaving import Leaving, leave
from gateway.app.relays import Relays
from gateway.app.routes import Parts, Routes
from gateway.app.slack import Slack, heap
from gateway.app.tracing import observer_of
from gateway.app.training import Trainer
from gateway.app.vitals import Sources, Vitals
from gateway.clock import SystemClock
from gateway.dispatch.checks import HealthChecks
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.drift import DriftWatch
from gateway.dispatch.fleet import Fleet
from gateway.dispatch.in_flight import InFlight
from gateway.dispatch.known_limits import KnownLimits
from gateway.dispatch.pool import Outside
from gateway.dispatch.sender import Sender
from gateway.dispatch.shaper import Shaper
from gateway.edge.admin import Admin
from gateway.edge.operations import Operations
from gateway.edge.server import Edge, http_server
from gateway.edge.usage import UsageReport
from gateway.leasing.leases import Leases
from gateway.notify.addresses import OperatorAddresses
from gateway.notify.courier import Courier
from gateway.notify.thresholds import Records, Thresholds
from gateway.observe.late import keep_written
from gateway.observe.logs import configure
from gateway.observe.metrics import Metrics
from gateway.observe.process_metrics import ProcessMetrics
from gateway.pipeline import Pipeline
from gateway.plan.inputs import Inputs
from gateway.settle.ledger import Books
from gateway.stores.journal import FileJournal
from gateway.stores.redis.accounts import RedisAccounts
from gateway.stores.redis.calls_back import hear
from gateway.stores.redis.canaries import RedisCanaries
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.notices import RedisNotices
from gateway.stores.redis.pauses import RedisPauses
from gateway.stores.redis.quota import RedisQuota
from gateway.stores.redis.usage import RedisLedger
from gateway.tasks import TaskGroup
from gateway.tokens.counter import load
from gateway.upstream import Upstream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from gateway.config.schema import Config
    from gateway.config.snapshot import Snapshot
    from gateway.leasing.seat import Seat
    from gateway.ports import Canaries, Clock, Notices
    from gateway.stores.layered import LayeredAnswers

_BACKLOG = 1024
_CACHE_RESTS = 0.5
"""Seconds that the cache is skipped after it did not answer; the limits have a fallback of their own."""
_COLLECT_AFTER = 10_000
"""Objects more than freed; Python's own figure, 700, is reached within one large list."""

_SETTLE_SECONDS = 2.0
"""For store commands that are still running once every answer is out: less than the supervisor's grace of 5 s."""


@dataclass(frozen=True, slots=True)
class Update:
    """What came of reading the configuration again.

    `base` is to be in force from now on (None: nothing changes), `stale` says why the file is not, and `outcome` is
    counted unless it is empty.
    """

    base: Snapshot | None
    stale: str
    outcome: str


class App:
    """One worker's gateway."""

    def __init__(self, snapshot: Snapshot, store_url: str, seat: Seat | None = None) -> None:
        config = snapshot.config
        clock, metrics = SystemClock(), Metrics()
        observer = self._observer = observer_of(config, metrics, clock)
        keys = self._keys = Keys(config.store.prefix)
        self._probe = partial(ProcessMetrics(metrics.registry).probe, clock)
        self._settings = config.server
        self._tasks = TaskGroup()
        # Two clients: a cache that is busy with large answers must not keep admissions waiting for a connection.
        self._clients = [connect(store_url, config.store.timeout, cluster=config.store.cluster) for _ in range(2)]
        quota_line = Line(self._clients[0], self._tasks, config.store.timeout)
        cache_line = Line(self._clients[1], self._tasks, config.store.timeout, _CACHE_RESTS)
        quota = RedisQuota(quota_line, keys, config.limits.lease_seconds)
        self._upstream = Upstream(config.backends, config.fetch.networks)
        ledger_line = Line(self._clients[0], self._tasks, config.store.timeout)
        ledger = RedisLedger(ledger_line, keys, config.ledger.retain_days, clock)
        budgets = Budgets(ledger, clock)
        self._leases = self._leases_of(config, quota, clock, budgets, seat)
        outside = Outside(self._leases, RedisPauses(quota_line, keys), clock, self._tasks, observer, snapshot.secret)
        journal = FileJournal(Path(config.server.data_dir) / "ledger", clock.identifier())
        notices = RedisNotices(ledger_line, keys)
        self._thresholds = Thresholds(Records(ledger, notices), lambda: pipeline.snapshot, clock, observer)
        self._courier = self._courier_of(notices, lambda: pipeline.snapshot.config, clock)
        self._books = Books(journal, ledger, clock, observer, self._thresholds.touched)
        dispatcher = self._dispatcher(outside, RedisCanaries(quota_line, keys), lambda: pipeline.snapshot)
        trainer = Trainer(quota_line, keys, clock, self._tasks, observer, lock_seconds=config.limits.lease_seconds)
        admission = Admission(self._leases, quota, observer)
        estimator = Estimator(load({served.model.tokenizer or YARDSTICK for served in snapshot.served.values()}))
        cache, bulk_gate = cached(cache_line, keys, snapshot, clock, observer), BulkGate(clock, observer, self._tasks)
        pipeline = Pipeline(
            snapshot=snapshot,
            admission=admission,
            budgets=budgets,
            estimator=estimator,
            planner=cache.planner,
            in_flight=InFlight(cache.claims, clock, self._tasks, config.cache.claim_seconds),
            dispatcher=dispatcher,
            transactions=trainer.desk,
            bulk_gate=bulk_gate,
            clock=clock,
            observer=observer,
            count=self._books.add,
            inputs=Inputs(self._upstream.foreign, clock),
        )
        self._vitals = self._vitals_of(metrics, clock, cache.answers, quota_line, cache_line)
        self._operations = Operations(pipeline, quota, self._vitals.render)
        parts = Parts(pipeline, admission, self._books, self._upstream, quota_line, keys, self._tasks, clock, observer)
        self._routes = Routes(parts, self._relays(parts, cache_line, budgets, estimator), trainer, dispatcher)
        fast = self._fast = fast_calls(parts, self._leases, bulk_gate, cache)
        usage, paths = UsageReport(pipeline, self._books, clock), self._routes.paths
        self.edge = Edge(pipeline, self._operations, usage, clock, observer, routes=paths, fast=fast)
        accounts = RedisAccounts(quota_line, keys, clock)
        self._follower = Follower(accounts, clock, observer, snapshot, partial(setattr, pipeline, "snapshot"))
        desk = _administrator(accounts, pipeline, clock)
        pages, self._pulse = console(parts, desk, ledger, quota, self._leases, self._fleet, budgets, metrics)
        self._admin = Admin(desk, admission, snapshot.secret, clock, observer, console=pages)
        serving = partial(http_server, settings=config.server, clock=clock)
        self._http = [serving(self.edge, fast=fast), serving(self._admin)]
        self._servers: list[asyncio.Server] = []
        self._background: list[asyncio.Task[None]] = []

    def _leases_of(
        self, config: Config, quota: RedisQuota, clock: Clock, budgets: Budgets, seat: Seat | None
    ) -> Leases:
        seconds = config.limits.lease_seconds
        leases = Leases(quota, clock, self._tasks, self._observer, lease_seconds=seconds, seed=budgets.used, seat=seat)
        leases.longest_seconds = config.server.timeout
        return leases

    def _vitals_of(self, metrics: Metrics, clock: Clock, layer: LayeredAnswers, quota: Line, cache: Line) -> Vitals:
        held = Sources(self._leases, self._shaper, self._fleet, layer, quota, cache, self._keys)
        return Vitals(metrics, clock, held, lambda: self._http, lambda: self._operations.stale_config)

    def _courier_of(self, notices: Notices, config: Callable[[], Config], clock: Clock) -> Courier:
        return Courier(notices, self._upstream, OperatorAddresses(config), clock, self._observer)

    def _dispatcher(self, outside: Outside, canaries: Canaries, snapshot: Callable[[], Snapshot]) -> Dispatcher:
        clock, observer = outside.clock, outside.observer
        fleet = self._fleet = Fleet(clock, observer)
        shaper = self._shaper = Shaper(outside)
        sender = Sender(transport=self._upstream, clock=clock, observer=observer, shaper=shaper, fleet=fleet)
        self._checks = HealthChecks(self._upstream, fleet, snapshot, clock)
        self._drift_watch = DriftWatch(
            sender=sender,
            fleet=fleet,
            canaries=canaries,
            snapshot=snapshot,
            clock=clock,
            observer=observer,
            count=self._books.add,
        )
        return Dispatcher(sender, KnownLimits(self._upstream, clock, self._tasks), clock, self._tasks)

    def _relays(self, parts: Parts, cache_line: Line, budgets: Budgets, estimator: Estimator) -> Relays:
        return Relays(parts, cache_line, budgets, estimator, self._shaper, self._fleet)

    async def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accept connections on bound sockets, which other workers may share: the gateway's, the admin API's."""
        loop = asyncio.get_running_loop()
        await self._leases.tick()
        await self._follower.look()
        self._background = [
            self._tasks.spawn(self._leases.keep(), "keep leases"),
            self._tasks.spawn(hear(self._clients[0], self._keys, self._leases.called_back), "hear calls back"),
            self._tasks.spawn(self._books.run(), "ledger"),
            self._tasks.spawn(self._thresholds.run(), "spending thresholds"),
            self._tasks.spawn(self._courier.run(), "notices"),
            self._tasks.spawn(self._follower.run(), "follow accounts"),
            self._tasks.spawn(self._checks.run(), "health checks"),
            self._tasks.spawn(self._drift_watch.run(), "canaries"),
            self._tasks.spawn(self._probe(), "event loop lag"),
            self._tasks.spawn(self._vitals.run(), "vitals"),
            self._tasks.spawn(keep_written(SystemClock()), "metrics"),
            self._tasks.spawn(Slack(SystemClock(), heap()).run(), "give memory back"),
            self._tasks.spawn(self._pulse.run(), "live figures"),
            *self._routes.start(),
        ]
        for http, listener in zip(self._http, listeners, strict=False):
            self._servers.append(await loop.create_server(http, sock=listener, backlog=_BACKLOG))

    def update(self, update: Update) -> None:
        """Put a configuration that was read again in force, or say why it is not."""
        if update.base is not None:
            self._upstream.add(update.base.config.backends)
            self._follower.rebase(update.base)
        self._operations.stale_config = update.stale
        if update.outcome:
            self._observer.config_reload(update.outcome)

    async def stop(self, *, replaced: bool = False) -> None:
        """Accept nothing more, let what runs finish within `server.drain_timeout`, settle it, close everything.

        The order loses nothing: answers say `Connection: close` first, pools close last. Where another worker has
        taken its place nobody needs to be sent elsewhere.
        """
        self.edge.closing = self._admin.closing = self._fast.closing = True
        self._operations.leaving = not replaced
        notice, seconds = 0.0 if replaced else self._settings.drain_notice, self._settings.drain_timeout
        await leave(self._servers, self._http, self._routes.drain(seconds), notice=notice, drain=seconds)
        for task in self._background:
            task.cancel()
        await asyncio.wait(self._background, timeout=_SETTLE_SECONDS)
        await self._leases.close()
        await self._books.close()
        await self._thresholds.look()
        await self._tasks.drain(_SETTLE_SECONDS)
        await self._upstream.close()
        await self._routes.close()
        for client in self._clients:
            await client.aclose()


def _administrator(accounts: RedisAccounts, pipeline: Pipeline, clock: Clock) -> Administrator:
    secret = pipeline.snapshot.secret
    return Administrator(accounts, lambda: pipeline.snapshot.config, secret, clock, secrets.token_bytes)


async def run_worker(  # noqa: PLR0913 - what a worker process is given, by name
    snapshot: Snapshot,
    store_url: str,
    listeners: Sequence[socket.socket],
    ready: Callable[[], None] = lambda: None,
    follow: Callable[[Callable[[Update], object]], None] = lambda _: None,
    *,
    seat: Seat | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or SIGUSR2 of who replaced it, then drain; `ready` is called once it accepts.

    `follow` is given what takes an Update, from any thread.
    """
    configure(snapshot.config.observe)
    leaving = Leaving()
    app = App(snapshot, store_url, seat)
    await app.start(listeners)
    loop = asyncio.get_running_loop()
    follow(lambda update: loop.call_soon_threadsafe(app.update, update))
    _spare_the_collector()
    ready()
    await app.stop(replaced=await leaving.told())


def _spare_the_collector() -> None:
    """Take what is there at the start, for ever, from what the garbage collector looks through.

    It is some 400,000 objects, a pause of 50 ms at a time in which no call is answered. What calls leave behind is
    mostly freed without the collector, which so may wait for more of it, too.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
