"""Micro-benchmarks of the steps of a cached call, by pyperf: the gateway's own functions on its own objects.

`make bench-micro`. The store is the tests' fake below the real in-process layer, so that no step waits for anybody.
Results go to docs/performance/results.json.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyperf

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fakes import gateway as fakes
from fakes.clock import FakeClock
from performance import cases, results

from gateway.config.schema import Tier
from gateway.endpoints import ENDPOINTS
from gateway.plan.cache_key import keys_of
from gateway.plan.planner import Inquiry, Planner
from gateway.plan.reply import reply
from gateway.stores.layered import LayeredAnswers
from gateway.vocabulary import Charge, Directives, Facts, Fresh, Job

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from gateway.vocabulary import Plan

COUNTS = (1, 100, 2_048)
MEMORY = 1 << 28
PROMOTE_AFTER = 3
T = TypeVar("T")


class Steps:
    """A gateway on fakes that has answered a list of so many texts; each method is one step of answering it again."""

    def __init__(self, count: int) -> None:
        tier = Tier(rpm=10**9, tpm=10**12, concurrency=10**6)
        self._gateway = fakes.Gateway(fakes.configured(tiers={"small": tier}))
        self._endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "embeddings")
        self._body = cases.embeddings([f"{cases.TEXT}, number {number}" for number in range(count)]).encode()
        self._snapshot = self._gateway.pipeline.snapshot
        self._caller = next(c for c in self._snapshot.directory.values() if c.tenant == "search")
        asyncio.run(self._ask())
        gateway, clock = self._gateway, FakeClock()
        layer = LayeredAnswers(gateway.answers, MEMORY, 10**9, clock)
        self._planner = Planner(layer, gateway.votes, gateway.trace, clock, gateway.sources)
        self._job = self.decode()
        secret, scope = self._snapshot.secret, self._caller.cache_scope
        self._inquiry = Inquiry(self._job, self._caller, scope, secret, Directives(), PROMOTE_AFTER)
        self._facts = Facts("embeddings", "r")
        self._plan = self.plan()
        assert not self._plan.missing
        self.assemble()

    async def _ask(self) -> None:
        await self._gateway.ask("embeddings", self._body)

    def decode(self) -> Job:
        """Bytes to a job: JSON, schema, model."""
        job = self._endpoint.validate(self._body, self._snapshot)
        assert isinstance(job, Job)
        return job

    def key(self) -> object:
        """Address and proof of each text."""
        return keys_of(self._job, self._caller, self._snapshot.secret)

    def plan(self) -> Plan:
        """Keys again, and the layer."""
        return finished(self._planner.plan(self._inquiry))

    def admit(self) -> None:
        """Take a request and a slot from the lease, settle."""
        finished(self._admit())

    async def _admit(self) -> None:
        async with self._gateway.admission.reserve(self._caller.meters, self._facts) as reservation:
            reservation.record(Charge(0, 0), 0)

    def assemble(self) -> object:
        """Answers to the reply."""
        made = reply(self._endpoint, self._job, self._plan, Fresh({}), self._facts)
        return made.body if made.pieces is None else sum(map(len, made.pieces))


def finished(work: Coroutine[None, None, T]) -> T:
    """What a coroutine returns that waits for nobody."""
    try:
        work.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    raise RuntimeError("it waits")


@cache
def steps(count: int) -> Steps:
    """Made once a process, and only in the one that measures with it."""
    return Steps(count)


def timed(loops: int, name: str, count: int) -> float:
    """Seconds that a step takes so often."""
    step = getattr(steps(count), name)
    step()
    began = time.perf_counter()
    for _ in range(loops):
        step()
    return time.perf_counter() - began


def main() -> None:
    """Every step of every length."""
    runner = pyperf.Runner(processes=5, values=4, warmups=1)
    figures: dict[str, Any] = {}
    for count in COUNTS:
        for name in ("decode", "key", "plan", "admit", "assemble"):
            if name == "admit" and count > 1:
                continue
            bench = runner.bench_time_func(f"{name}, {count} text{'s' * (count > 1)}", timed, name, count)
            if bench is not None and not runner.args.worker:
                mean, deviation = (1e6 * value for value in (bench.mean(), bench.stdev()))
                figures.setdefault(name, {})[str(count)] = results.rounded({"us": mean, "deviation_us": deviation})
    if not runner.args.worker:
        results.save("micro", results.circumstances() | {"pyperf": pyperf.__version__, "steps": figures})


if __name__ == "__main__":
    main()
