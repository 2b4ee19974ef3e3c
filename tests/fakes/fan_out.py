"""C: one worker's way out (Dispatcher, Batcher, Sender, Fleet, Shaper, InFlight) to scripted replicas on a clock."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from fakes.answers import FakeAnswers
from fakes.claims import FakeClaims
from fakes.clock import FakeClock, settled
from fakes.gateway import SECRET, snapshot_of
from fakes.observer import FakeObserver
from fakes.pauses import FakePauses
from fakes.quota import FakeQuota
from fakes.replicas import Replicas

from gateway.config.backends import Backend, ModelEntry, Replica
from gateway.config.schema import Config
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.fleet import Fleet
from gateway.dispatch.hedging import SAMPLES
from gateway.dispatch.in_flight import InFlight
from gateway.dispatch.known_limits import KnownLimits
from gateway.dispatch.order import Order
from gateway.dispatch.pool import Outside
from gateway.dispatch.sender import Sender
from gateway.dispatch.shaper import Shaper
from gateway.errors import service_timeout
from gateway.leasing.leases import Leases
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, Caller, Fresh, Item, ItemKey, Job, Lane, Limits, Plan, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.dispatch.order import Found

MODEL = "m"
PATIENCE = 300.0
"""Virtual seconds after which what should have ended counts as hanging."""


class ChancyClock(FakeClock):
    """A virtual clock whose chances differ, the same ones in each run."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chances = random.Random(seed)  # noqa: S311 - a simulation

    def random(self) -> float:
        return self._chances.random()


class FanOut:
    """`ask` asks as a request does; `settings` are those of every backend, `each` of single ones."""

    def __init__(
        self, names: str = "ab", *, seed: int = 1, each: Mapping[str, dict[str, Any]] | None = None, **settings: Any
    ) -> None:
        self.clock = ChancyClock(seed)
        self.replicas = Replicas(self.clock)
        self.observer = FakeObserver()
        self.tasks = TaskGroup()
        base = {"dialect": "jina", "billed": False, "batch": False, "hedge": False} | settings
        backends = {name: Backend(url=f"http://{name}", **(base | (each or {}).get(name, {}))) for name in names}
        more = tuple(Replica(backend=name) for name in names[1:])
        models = {
            model: ModelEntry(backend=names[0], replicas=more, dimensions=4, embeddings=True) for model in (MODEL, "n")
        }
        self.snapshot = snapshot_of(Config(backends=backends, models=models))
        self.fleet = Fleet(self.clock, self.observer)
        leases = Leases(FakeQuota(self.clock.milliseconds), self.clock, self.tasks, self.observer)
        pauses = FakePauses(self.clock.milliseconds)
        outside = Outside(leases, pauses, self.clock, self.tasks, self.observer, SECRET)
        sender = Sender(
            transport=self.replicas,
            clock=self.clock,
            observer=self.observer,
            shaper=Shaper(outside),
            fleet=self.fleet,
        )
        limits = KnownLimits(self.replicas, self.clock, self.tasks)
        self.dispatcher = Dispatcher(sender, limits, self.clock, self.tasks)
        self.answers = FakeAnswers(ttl_seconds=1e9)
        self.claims = FakeClaims(self.answers, self.clock.monotonic)
        self.in_flight = InFlight(self.claims, self.clock, self.tasks, 10.0)
        self.kept: list[tuple[str, Answer]] = []
        self.asked: list[asyncio.Task[Any]] = []

    def order(self, texts: Sequence[str], seconds: float = 60.0, **fields: Any) -> Order:
        """What a request for these texts wants by then; `fields` are parameters, and `model`, `tenant`, `lane`."""
        served = self.snapshot.served[fields.pop("model", MODEL)]
        tenant, lane = fields.pop("tenant", "t"), fields.pop("lane", Lane.INTERACTIVE)
        patience = fields.pop("queue_timeout", 30.0)
        units = tuple((Item.text(text),) for text in texts)
        parameters = tuple(sorted(fields.items()))
        model = served.model
        job = Job("embeddings", model.name, model.revision, units, Shape.DENSE, parameters, None)
        caller = Caller(tenant, tenant, "", "", Limits(None, None, None), queue_timeout=patience)

        def estimate(positions: Sequence[int]) -> int:
            return sum(len(texts[at].split()) for at in positions)

        async def arrived(answers: Mapping[int, Answer]) -> None:
            await asyncio.sleep(0)
            self.kept += [(texts[at], answer) for at, answer in answers.items()]

        deadline = self.clock.now + seconds
        return Order(self.snapshot, served, job, caller, deadline, estimate, arrived, lane=lane, timeout=seconds)

    def knows_what_is_usual(self, seconds: float, calls: int = 10_000) -> None:
        """As if so many calls had been sent lately, of which the hedger knows that they took so long."""
        hedger = self.fleet._traffic_of(self.order(["text"])).hedger
        for _ in range(calls):
            hedger.seen(self.clock.now, 100)
        for _ in range(SAMPLES):
            hedger.record(1, Lane.INTERACTIVE, seconds)

    async def found(self, *texts: str, seconds: float = 60.0, **fields: Any) -> Found:
        return await self.dispatcher.run(self.order(texts, seconds, **fields), range(len(texts)))

    def ask(self, *texts: str, seconds: float = 60.0, **fields: Any) -> asyncio.Task[Found]:
        """A request that runs beside others."""
        task = asyncio.create_task(self.found(*texts, seconds=seconds, **fields))
        self.asked.append(task)
        return task

    def fly(self, *texts: str, seconds: float = 60.0, storable: bool = True, **fields: Any) -> asyncio.Task[Fresh]:
        """As `ask`, by way of InFlight, which is asked for each distinct text once; what comes is stored."""
        order = self.order(texts, seconds, **fields)
        keys = tuple(key_of(text, **fields) for text in texts)
        plan = Plan(keys, {}, tuple(texts.index(text) for text in dict.fromkeys(texts)), storable=storable)

        async def arrived(answers: Mapping[int, Answer]) -> None:
            await order.arrived(answers)
            if storable:
                await self.answers.put([(keys[at], answer) for at, answer in answers.items()])

        async def fill(positions: Sequence[int], sent: Callable[[], None]) -> Found:
            return await self.dispatcher.run(replace(order, sent=sent, arrived=arrived), positions)

        task = asyncio.create_task(self.in_flight.run(plan, order.deadline, service_timeout(seconds), fill))
        self.asked.append(task)
        return task

    async def over(self, *tasks: asyncio.Task[Any], step: float = 0.01) -> list[Any]:
        """Let time pass until these tasks (else all that were asked) have ended; their results or exceptions."""
        waiting, start = tasks or tuple(self.asked), self.clock.now
        while not all(task.done() for task in waiting):
            assert self.clock.now - start < PATIENCE, "something hangs"
            await self.clock.advance(step)
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    async def at_rest(self) -> None:
        """Nothing is left of what was asked: no work, no lease of a probe, no batch, no task. Raises AssertionError."""
        await self.clock.advance(20)
        await settled()
        assert all(task.done() for task in self.asked)
        assert [place.outstanding for place in self.fleet._places.values()] == [0] * len(self.fleet._places)
        assert all(place.breaker.admits(self.clock.now) for place in self.fleet._places.values())
        assert not self.dispatcher._batcher._kinds
        assert not self.dispatcher._batcher._timers
        assert not self.tasks._tasks
        assert asyncio.all_tasks() <= {asyncio.current_task(), *self.asked}
        assert not self.in_flight._flights


def key_of(text: str, **fields: Any) -> ItemKey:
    """What an answer is stored under: everything that it depends on."""
    digest = hashlib.blake2b(repr((text, sorted(fields.items()))).encode(), digest_size=16).digest()
    return ItemKey(digest, digest)


def numbers(answer: Answer) -> list[float]:
    """The vector of a dense answer."""
    return [float(value) for value in np.frombuffer(answer.payload, "<f4")]
