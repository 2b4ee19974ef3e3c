"""E: one of several processes that admit calls from common meters, each with leases of its own, and keep a journal.

`python -m fakes.admitting_process PLAN`, from the folder `tests`; PLAN is a Plan as JSON. It says `ready` when it knows
of all the others, and begins when it reads a line. The journal is int64 in native order, ENTRY fields a decision.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from fakes.observer import FakeObserver

from gateway.admit.reservation import Admission
from gateway.clock import SystemClock
from gateway.errors import GatewayError
from gateway.leasing.leases import Leases
from gateway.stores.redis.calls_back import hear
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.tasks import TaskGroup
from gateway.vocabulary import Charge, Facts, Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ENTRY = ("meter", "entered", "left", "tokens", "admitted")
"""Number of the plan's meter; CLOCK_MONOTONIC in ns after the door and before settlement; tokens used; 1 or 0."""

TIMEOUT_SECONDS = 5.0
LEASE_SECONDS = 15.0
KEYS = Keys("gw")


@dataclass(frozen=True)
class Demand:
    """Calls of one meter: `calls` of `sizes` tokens, drawn, of which a drawn part is used; each takes `seconds`."""

    subject: str
    limits: tuple[int | None, int | None, int | None]
    calls: int
    sizes: tuple[int, ...] = (0,)
    seconds: float = 0.0

    @property
    def meter(self) -> Meter:
        return Meter(self.subject, Scope.TENANT, Limits(*self.limits))


@dataclass(frozen=True)
class Plan:
    """`tasks` calls run at once; `processes` is how many there will be. Demands are met one after the other."""

    url: str
    journal: str
    processes: int
    tasks: int
    seed: int
    demands: tuple[Demand, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        content = json.loads(text)
        content["demands"] = tuple(Demand(**demand) for demand in content["demands"])
        return cls(**content)


class Clients:
    """The calls of one process, and their journal."""

    def __init__(self, plan: Plan, admission: Admission) -> None:
        self.journal = array("q")
        self._plan = plan
        self._admission = admission
        self._chance = random.Random(plan.seed)  # noqa: S311 - a reproducible load

    async def run(self) -> None:
        for number, demand in enumerate(self._plan.demands):
            left = iter(range(demand.calls))
            await asyncio.gather(*(self._some(number, demand, left) for _ in range(self._plan.tasks)))

    async def _some(self, number: int, demand: Demand, left: object) -> None:
        meters = (demand.meter,)
        for _ in left:  # type: ignore[attr-defined] # one iterator that all tasks share
            await self._call(number, meters, self._chance.choice(demand.sizes), demand.seconds)

    async def _call(self, number: int, meters: tuple[Meter, ...], tokens: int, seconds: float) -> None:
        used = tokens - self._chance.randrange(1 + tokens // 2)
        try:
            async with self._admission.reserve(meters, Facts("embeddings", "r")) as reservation:
                entered = time.monotonic_ns()
                await reservation.cover(tokens)
                reservation.record(Charge(used, used), used)
                await asyncio.sleep(seconds)  # other calls run while this one does
                left = time.monotonic_ns()
        except GatewayError:
            now = time.monotonic_ns()
            self.journal.extend((number, now, now, tokens, 0))
        else:
            self.journal.extend((number, entered, left, used, 1))


@asynccontextmanager
async def standing(url: str, store: type[RedisQuota] = RedisQuota) -> AsyncIterator[tuple[Admission, Leases]]:
    """An admission as a worker of the gateway has it, on a real store."""
    clients = [connect(url, TIMEOUT_SECONDS), connect(url, TIMEOUT_SECONDS)]
    tasks, observer = TaskGroup(), FakeObserver()
    quota = store(Line(clients[0], tasks, TIMEOUT_SECONDS), KEYS, LEASE_SECONDS)
    leases = Leases(quota, SystemClock(), tasks, observer, lease_seconds=LEASE_SECONDS)
    await leases.tick()
    background = [
        asyncio.ensure_future(leases.keep()),
        asyncio.ensure_future(hear(clients[1], KEYS, leases.called_back)),
    ]
    try:
        yield Admission(leases, quota, observer), leases
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await leases.close()
        await tasks.drain(TIMEOUT_SECONDS)
        for client in clients:
            await client.aclose()
    assert not observer.store_failures, "the store was away"


async def main(plan: Plan) -> bytes:
    async with standing(plan.url) as (admission, leases):
        while leases.rounds.holders < plan.processes:
            await leases.tick()
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        clients = Clients(plan, admission)
        await clients.run()
        return clients.journal.tobytes()


if __name__ == "__main__":
    PLAN = Plan.from_json(sys.argv[1])
    Path(PLAN.journal).write_bytes(uvloop.run(main(PLAN)))
