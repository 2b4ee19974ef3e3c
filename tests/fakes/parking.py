"""C: an admission over a quota store whose calls can be held up or fail, and one request that uses all of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.quota import FakeQuota

from gateway.admit.reservation import Admission
from gateway.errors import StoreError
from gateway.leasing.leases import Leases
from gateway.tasks import TaskGroup
from gateway.vocabulary import Charge, Facts, Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from gateway import ports

T = TypeVar("T")
LIMITS = Limits(requests=10, tokens=100, concurrency=2)
METER = Meter("t", Scope.TENANT, LIMITS)


class ParkingQuota:
    """Like the real store, a call goes on when whoever waits for it is cancelled.

    `hold_at` names a point, `exchange before` or `exchange after`; who gets there sets `reached` and waits for
    `release`. `failures` makes that many next calls of a name fail, `lost` that many take effect without a reply.
    """

    def __init__(self, inner: FakeQuota, tasks: TaskGroup) -> None:
        self.inner = inner
        self.hold_at = ""
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.failures: dict[str, int] = {}
        self.lost = 0
        self._tasks = tasks

    async def exchange(self, statement: ports.Statement, run: str = "", *, patient: bool = False) -> ports.Grant:
        grant = await self._call("exchange", self.inner.exchange(statement, run, patient=patient))
        if self.lost:
            self.lost -= 1
            raise StoreError("no reply")
        return grant

    async def register(self, worker: str, seconds: float, predecessor: str = "") -> ports.Census:
        return await self._call("register", self.inner.register(worker, seconds, predecessor))

    async def leave(self, worker: str) -> None:
        await self._call("leave", self.inner.leave(worker))

    async def hit(self, counter: str, limit: int) -> float | None:
        return await self._call("hit", self.inner.hit(counter, limit))

    async def ping(self) -> None:
        await self._call("ping", self.inner.ping())

    async def _call(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            work.close()
            raise StoreError(name)
        if self.inner.down:
            return await work
        task = self._tasks.spawn(self._run(name, work), name)
        await asyncio.wait({task})
        result: T = task.result()
        return result

    async def _run(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        await self.pause(f"{name} before")
        result = await work
        await self.pause(f"{name} after")
        return result

    async def pause(self, point: str) -> None:
        if point == self.hold_at:
            self.reached.set()
            await self.release.wait()


class Worker:
    """One worker's admission over a store that several share."""

    def __init__(self, store: ports.QuotaStore, clock: FakeClock, tasks: TaskGroup, observer: FakeObserver) -> None:
        self.leases = Leases(store, clock, tasks, observer)
        self.admission = Admission(self.leases, store, observer)


class Gatehouse:
    """Everything an admission needs, and one request that uses all of it."""

    def __init__(self, *meters: Meter) -> None:
        self.clock = FakeClock()
        self.tasks = TaskGroup()
        self.observer = FakeObserver()
        self.quota = FakeQuota(self.clock.milliseconds)
        self.store = ParkingQuota(self.quota, self.tasks)
        self.meters: Sequence[Meter] = meters or (METER,)
        worker = self.worker()
        self.leases, self.admission = worker.leases, worker.admission
        self.facts = Facts("embeddings", "r")

    def worker(self) -> Worker:
        """Another worker on the same store."""
        return Worker(self.store, self.clock, self.tasks, self.observer)

    async def request(self, tokens: int = 50, used: int = 30) -> None:
        async with self.admission.reserve(self.meters, self.facts) as reservation:
            await reservation.cover(tokens)
            await self.store.pause("body")
            reservation.record(Charge(reported=used, upstream=used), used)
