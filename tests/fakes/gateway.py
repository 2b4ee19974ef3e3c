"""A whole gateway in one process on fakes: what pipeline and edge tests talk to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fakes.answers import FakeAnswers
from fakes.claims import FakeClaims
from fakes.classifiers import FakeClassifiers
from fakes.clock import FakeClock
from fakes.jina_upstream import KEY as UPSTREAM_KEY
from fakes.jina_upstream import Upstream
from fakes.journal import FakeJournal
from fakes.ledger import FakeLedger
from fakes.observer import FakeObserver
from fakes.pauses import FakePauses
from fakes.quota import FakeQuota
from fakes.sources import FakeSources
from fakes.trace import FakeTrace
from fakes.votes import FakeVotes

from gateway.admit.budgets import Budgets
from gateway.admit.bulk_gate import BulkGate
from gateway.admit.estimate import Estimator
from gateway.admit.reservation import Admission
from gateway.authenticate import digest
from gateway.config.backends import Backend
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config, Tenant, Tier
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.fleet import Fleet
from gateway.dispatch.in_flight import InFlight
from gateway.dispatch.known_limits import KnownLimits
from gateway.dispatch.pool import Outside
from gateway.dispatch.sender import Sender
from gateway.dispatch.shaper import Shaper
from gateway.endpoints import ENDPOINTS
from gateway.leasing.leases import Leases
from gateway.pipeline import Pipeline
from gateway.plan.planner import Planner
from gateway.settle.ledger import Books
from gateway.stores.layered import LayeredAnswers
from gateway.tasks import TaskGroup
from gateway.training.shelf import Shelf
from gateway.training.transactions import TrainingDesk
from gateway.vocabulary import Call, Directives, Facts, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.ports import Amounts, Observer

T = TypeVar("T")
SECRET = b"0123456789abcdef" * 2
SEARCH_KEY = "jina_" + "a" * 60
OTHER_KEY = "jina_" + "b" * 60


def configured(**changes: Any) -> Config:
    """Two tenants of one org in front of the Jina upstream, with small limits."""
    settings: dict[str, Any] = {
        "tiers": {"small": Tier(rpm=10, tpm=1_000, concurrency=2)},
        "tenants": {
            "search": Tenant(tier="small", keys=(SEARCH_KEY,)),
            "other": Tenant(tier="small", keys=(OTHER_KEY,)),
        },
        "backends": {"jina": Backend(dialect="jina", url="http://upstream", key=UPSTREAM_KEY)},
    }
    return Config(**(settings | changes))


def snapshot_of(config: Config) -> Snapshot:
    return compile_snapshot(config, secret=SECRET, digest=digest)


async def at_once(work: Callable[[], T]) -> T:
    """Learning on the event loop."""
    return work()


@dataclass
class Gateway:
    """`ask` sends one call through the pipeline; everything it stands on can be looked at."""

    config: Config = field(default_factory=configured)
    observer: Observer | None = None
    estimator: Estimator = field(default_factory=Estimator)
    layered: bool = False

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.seen = FakeObserver()
        observer = self.observer or self.seen
        self.quota = FakeQuota(self.clock.milliseconds)
        self.answers = FakeAnswers(observer)
        self.claims = FakeClaims(self.answers, self.clock.monotonic)
        self.votes, self.trace, self.sources = FakeVotes(observer), FakeTrace(), FakeSources()
        self.upstream = Upstream()
        self.tasks = TaskGroup()
        self.counted: list[Facts] = []
        self.ledger = FakeLedger(self.clock.epoch)
        self.budgets = Budgets(self.ledger, self.clock)
        self.leases = Leases(self.quota, self.clock, self.tasks, observer, seed=self.budgets.used)
        self.books = Books(FakeJournal(room=10**9), self.ledger, self.clock, observer)
        self.pauses = FakePauses(self.clock.milliseconds)
        outside = Outside(self.leases, self.pauses, self.clock, self.tasks, observer, SECRET)
        self.shaper, self.fleet = Shaper(outside), Fleet(self.clock, observer)
        sender = Sender(
            transport=self.upstream,
            clock=self.clock,
            observer=observer,
            shaper=self.shaper,
            fleet=self.fleet,
        )
        self.dispatcher = Dispatcher(sender, KnownLimits(self.upstream, self.clock, self.tasks), self.clock, self.tasks)
        self.classifiers = FakeClassifiers(self.clock.monotonic)
        self.shelf = Shelf(self.classifiers, self.clock, self.tasks, observer, 15.0)
        self.desk = TrainingDesk(self.shelf, self.clock, at_once)
        self.admission = Admission(self.leases, self.quota, observer)
        self.layer = LayeredAnswers(self.answers, 10_000_000, 60.0, self.clock)
        self.bulk_gate = BulkGate(self.clock, observer, self.tasks)
        answers = self.layer if self.layered else self.answers
        self.pipeline = Pipeline(
            snapshot=snapshot_of(self.config),
            admission=self.admission,
            budgets=self.budgets,
            estimator=self.estimator,
            planner=Planner(answers, self.votes, self.trace, self.clock, self.sources),
            in_flight=InFlight(self.claims, self.clock, self.tasks, 10.0),
            dispatcher=self.dispatcher,
            transactions=self.desk,
            bulk_gate=self.bulk_gate,
            clock=self.clock,
            observer=observer,
            count=self.count,
        )

    def count(self, *answered: Facts) -> None:
        """Into the ledger, as answered calls."""
        self.counted += answered
        self.books.add(*answered)

    async def ask(
        self,
        endpoint: str,
        body: bytes,
        key: str | None = SEARCH_KEY,
        client: str = "192.0.2.1",
        directives: Directives = Directives(),  # noqa: B008 - immutable
    ) -> tuple[Reply, Facts]:
        """The reply and the facts of one call."""
        facts = Facts(endpoint, "request-1")
        reply = await self.pipeline.serve(
            next(entry for entry in ENDPOINTS if entry.name == endpoint),
            self.call(body, key, client, directives),
            facts,
        )
        return reply, facts

    def used(self, tenant: str) -> Amounts:
        """What is used of a tenant's limits, as its worker knows."""
        callers = self.pipeline.snapshot.directory.values()
        meter = next(caller.meters[0] for caller in callers if caller.tenant == tenant)
        return self.leases.of(meter).used

    def call(self, body: bytes, key: str | None, client: str, directives: Directives) -> Call:
        async def read() -> bytes:
            return body

        credentials = None if key is None else f"Bearer {key}"
        return Call(read, credentials, client, "request-1", self.clock.now + self.config.server.timeout, directives)
