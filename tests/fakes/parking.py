"""C: an admission over a quota store whose calls can be held up, before or after they take effect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.quota import FakeQuota

from gateway.admit.reservation import Admission
from gateway.errors import StoreError
from gateway.tasks import TaskGroup
from gateway.vocabulary import Caller, Charge, Facts, Limits

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from gateway import ports

T = TypeVar("T")
LIMITS = Limits(requests=10, tokens=100, concurrency=2)


class ParkingQuota:
    """Like the real store, a call goes on when whoever waits for it is cancelled.

    `hold_at` names a point, `door before` or `settle after`; who gets there sets `reached` and waits for `release`.
    `failures` makes that many next calls of a name fail.
    """

    def __init__(self, inner: FakeQuota, tasks: TaskGroup) -> None:
        self.inner = inner
        self.hold_at = ""
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.failures: dict[str, int] = {}
        self.renewed: list[str] = []
        self._tasks = tasks

    async def admit(self, admission: ports.Admission) -> ports.Verdict:
        return await self._call(admission.step, self.inner.admit(admission))

    async def settle(self, subject: str, lease: str, requests: int, tokens: int) -> ports.Usage:
        return await self._call("settle", self.inner.settle(subject, lease, requests, tokens))

    async def renew(self, subject: str, leases: Sequence[str]) -> None:
        self.renewed.extend(leases)
        await self._call("renew", self.inner.renew(subject, leases))

    async def hit(self, counter: str, limit: int) -> float | None:
        return await self._call("hit", self.inner.hit(counter, limit))

    async def ping(self) -> None:
        await self._call("ping", self.inner.ping())

    async def _call(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            work.close()
            raise StoreError(name)
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


class Gatehouse:
    """Everything an admission needs, and one request that uses all of it."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = FakeClock()
        self.tasks = TaskGroup()
        self.observer = FakeObserver()
        self.quota = FakeQuota(self.clock.milliseconds)
        self.store = ParkingQuota(self.quota, self.tasks)
        self.admission = Admission(self.store, self.clock, self.tasks, self.observer)
        self.caller = Caller("t", "o", "free", "k", limits)
        self.facts = Facts("embeddings", "r")

    async def request(self, tokens: int = 50, used: int = 30) -> None:
        async with self.admission.reserve(self.caller, self.facts) as reservation:
            await reservation.cover(tokens)
            await self.store.pause("body")
            reservation.record(Charge(reported=used, upstream=used), used)
