"""Twins of one model: who is ill or of another vector space gets no calls, and the others go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fakes.canaries import FakeCanaries
from fakes.clock import settled
from fakes.gateway import SECRET, Gateway, configured, snapshot_of
from fakes.observer import FakeObserver
from fakes.twins import WIDTH, Twins

from gateway.config.backends import Backend, ModelEntry
from gateway.dispatch.canary import INTERVAL_SECONDS, TEXT
from gateway.dispatch.checks import HealthChecks
from gateway.dispatch.drift import TENANT, DriftWatch
from gateway.dispatch.fleet import ClosedError, Fleet
from gateway.dispatch.order import Order
from gateway.dispatch.pool import Outside
from gateway.dispatch.sender import Sender
from gateway.dispatch.shaper import Shaper
from gateway.vocabulary import Facts, Item, Job, Shape

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot

NAMES = ("one", "two", "three")


def snapshot(*names: str, **model: Any) -> Snapshot:
    backends = {name: Backend(dialect="tei", url=f"http://{name}") for name in names}
    replicas = [{"backend": name} for name in names[1:]]
    entry = ModelEntry.model_validate({"backend": names[0], "replicas": replicas, "dimensions": WIDTH, **model})
    return snapshot_of(configured(backends=backends, models={"m": entry}))


@dataclass
class Worker:
    """One worker's watch over the replicas that all workers share."""

    replicas: Twins
    canaries: FakeCanaries
    names: tuple[str, ...] = NAMES

    def __post_init__(self) -> None:
        made = Gateway()  # for its leases
        self.clock = made.clock
        self.clock.now = float(INTERVAL_SECONDS * 1_000)
        self.snapshot = snapshot(*self.names)
        self.seen = FakeObserver()
        self.fleet = Fleet(self.clock, self.seen)
        self.counted: list[Facts] = []
        outside = Outside(made.leases, made.pauses, self.clock, made.tasks, self.seen, SECRET)
        sender = Sender(
            transport=self.replicas, clock=self.clock, observer=self.seen, shaper=Shaper(outside), fleet=self.fleet
        )
        self.watch = DriftWatch(
            sender=sender,
            fleet=self.fleet,
            canaries=self.canaries,
            snapshot=lambda: self.snapshot,
            clock=self.clock,
            observer=self.seen,
            count=self.counted.append,
        )
        self.checks = HealthChecks(self.replicas, self.fleet, lambda: self.snapshot, self.clock)

    def order(self) -> Order:
        served = self.snapshot.served["m"]
        unit = (Item.text("a"),)
        job = Job("embeddings", "m", served.model.revision, (unit,), Shape.DENSE, (), None)
        caller = next(iter(self.snapshot.directory.values()))

        async def arrived(_: object) -> None: ...

        return Order(self.snapshot, served, job, caller, self.clock.now + 10, len, arrived)

    async def chosen(self) -> set[str]:
        """Who gets calls."""
        found = set()
        for number in range(30):
            self.clock.chance = number / 30
            trip = await self.fleet.choose(self.order(), 1, self.clock.now + 10)
            found.add(trip.route.backend)
            self.fleet.ended(trip, None)
        return found


@pytest.fixture
def replicas() -> Twins:
    return Twins()


async def test_one_worker_sends_the_canary_once_an_hour_and_accounts_for_it(replicas: Twins) -> None:
    canaries = FakeCanaries()
    workers = [Worker(replicas, canaries) for _ in range(3)]
    for _ in range(5):
        for worker in workers:
            await worker.watch.look()
    assert replicas.asked == {(name, TEXT): 1 for name in NAMES}
    rows = [facts for worker in workers for facts in worker.counted]
    assert [(facts.tenant, facts.paid_tokens) for facts in rows] == [(TENANT, 1)] * 3
    workers[1].clock.now += INTERVAL_SECONDS
    await workers[1].watch.look()
    assert replicas.asked["one", TEXT] == 2


async def test_the_odd_one_out_gets_no_calls_from_any_worker_until_it_is_well(replicas: Twins) -> None:
    canaries = FakeCanaries()
    first, second = Worker(replicas, canaries), Worker(replicas, canaries)
    replicas.weights["two"] = "other"
    await first.watch.look()
    await second.watch.look()
    for worker in (first, second):
        assert await worker.chosen() == {"one", "three"}
        assert ("two", worker.snapshot.served["m"].model.revision, "drifted") in worker.seen.health
    assert [(backend, reason) for backend, _, reason, _ in first.seen.drifts] == [("two", "direction")]
    replicas.weights.clear()
    first.clock.now += INTERVAL_SECONDS
    await first.watch.look()
    await second.watch.look()
    assert await second.chosen() == set(NAMES)


async def test_of_two_the_one_that_left_the_remembered_space_is_odd(replicas: Twins) -> None:
    worker = Worker(replicas, FakeCanaries(), ("one", "two"))
    await worker.watch.look()
    replicas.weights["one"] = "other"
    worker.clock.now += INTERVAL_SECONDS
    await worker.watch.look()
    assert await worker.chosen() == {"two"}


async def test_one_that_does_not_answer_stays_what_it_was(replicas: Twins) -> None:
    worker = Worker(replicas, FakeCanaries())
    replicas.weights["two"] = "other"
    await worker.watch.look()
    replicas.away.add("two")
    worker.clock.now += INTERVAL_SECONDS
    looking = worker.watch.look()
    await _run(worker, looking)
    assert await worker.chosen() == {"one", "three"}


async def test_a_model_that_is_left_with_one_backend_is_what_that_answers(replicas: Twins) -> None:
    worker = Worker(replicas, FakeCanaries(), ("one", "two"))
    await worker.watch.look()
    replicas.weights["two"] = "other"
    worker.clock.now += INTERVAL_SECONDS
    await worker.watch.look()
    alone = snapshot("two")
    worker.snapshot = alone
    with pytest.raises(ClosedError):
        await worker.chosen()
    await worker.watch.look()
    assert await worker.chosen() == {"two"}


async def test_a_store_that_is_away_stops_nothing(replicas: Twins) -> None:
    canaries = FakeCanaries()
    worker = Worker(replicas, canaries)
    canaries.down = True
    await worker.watch.look()
    assert worker.seen.store_failures == ["canary"]
    assert await worker.chosen() == set(NAMES)


async def test_a_replica_that_says_it_is_ill_is_left_alone_while_another_is_well(replicas: Twins) -> None:
    worker = Worker(replicas, FakeCanaries())
    replicas.ill.add("one")
    replicas.away.add("two")
    await worker.checks.check()
    assert await worker.chosen() == {"three"}
    replicas.ill.add("three")
    await worker.checks.check()
    assert await worker.chosen() == set(NAMES)  # all are ill: asking is better than not


async def test_a_lone_backend_is_not_checked(replicas: Twins) -> None:
    worker = Worker(replicas, FakeCanaries(), ("one",))
    await worker.checks.check()
    assert not replicas.checked


async def _run(worker: Worker, looking: Any) -> None:
    task = asyncio.ensure_future(looking)
    for _ in range(50):
        await settled()
        await worker.clock.advance(1)
        if task.done():
            break
    await task
