"""C: workers that send calls through shapers of their own to one upstream, whose journal is the oracle."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from fakes.clock import FakeClock
from fakes.observer import FakeObserver
from fakes.pauses import FakePauses
from fakes.quota import FakeQuota

from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.config.backends import Backend, KeyLimits
from gateway.dispatch.fair_queue import Ticket
from gateway.dispatch.pool import Outside
from gateway.dispatch.shaper import Shaper
from gateway.dispatch.station import LateError
from gateway.leasing.leases import Leases
from gateway.tasks import TaskGroup
from gateway.vocabulary import Answer, Lane, Shape

WINDOW = 60.0
AHEAD_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Entry:
    """One call as the upstream saw it."""

    at: float
    key: str
    tenant: str
    tokens: int


@dataclass
class Town:
    """`workers` workers in front of one account. An upstream call takes `seconds`, and arrives somewhere within."""

    keys: tuple[str, ...] = ("k1",)
    limits: KeyLimits | None = None
    workers: int = 1
    seconds: float = 0.5
    timeout: float = 60.0
    local_concurrency: int = 1_000
    seed: int | None = None
    journal: list[Entry] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most_running: Counter[str] = field(default_factory=Counter)
    # What the next calls get: None an answer, else a 429 with that Retry-After, or with none for 0.
    refusals: list[float | None] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    late: list[tuple[str, float]] = field(default_factory=list)
    refused: list[tuple[str, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.chance = random.Random(self.seed)  # noqa: S311 - a simulation
        self.tasks = TaskGroup()
        self.observer = FakeObserver()
        # The store's clock is another: only what it says of the time counts.
        self.quota = FakeQuota(lambda: self.clock.milliseconds() + AHEAD_MS)
        self.quota.on_call_back = self.call_back
        self.pauses = FakePauses(self.clock.milliseconds)
        self.leases = [Leases(self.quota, self.clock, self.tasks, self.observer) for _ in range(self.workers)]
        self.keepers = [self.tasks.spawn(self.keep(leases), "keep") for leases in self.leases]
        self.backend = Backend(
            dialect="jina",
            url="http://upstream",
            keys=self.keys,
            limits=self.limits,
            timeout=self.timeout,
            concurrency=self.local_concurrency,
        )
        self.shapers = [
            Shaper(Outside(leases, self.pauses, self.clock, self.tasks, self.observer, b"s" * 32))
            for leases in self.leases
        ]

    @staticmethod
    async def keep(leases: Leases) -> None:
        await leases.tick()
        await leases.keep()

    def call_back(self, subject: str) -> None:
        for leases in self.leases:
            self.tasks.spawn(leases.called_back(subject), "call back")

    def fail(self) -> None:
        """The store is away."""
        self.quota.down = self.pauses.down = True

    def recover(self, *, emptied: bool = False) -> None:
        """The store is back, with what it knew or without anything."""
        if emptied:
            self.quota.forget()
            self.pauses.forget()
        self.quota.down = self.pauses.down = False

    def counted(self) -> tuple[int, int]:
        """Calls that count in the store, and slots that workers have in use there, of all keys."""
        used = [self.quota.usage(subject) for subject in list(self.quota._subjects)]
        return sum(amounts.requests for amounts in used), sum(amounts.slots for amounts in used)

    async def call(  # noqa: PLR0913 - what a call can be
        self,
        worker: int = 0,
        tenant: str = "t",
        tokens: int = 10,
        patience: float = 1e6,
        *,
        used: int | None = None,
        weight: float = 1.0,
        lane: Lane = Lane.INTERACTIVE,
        queue_timeout: float = float("inf"),
        seconds: float | None = None,
    ) -> bool:
        """Send until it is answered; False when its time ran out."""
        ticket = Ticket(tenant, tokens, self.clock.now + patience, weight, lane, queue_timeout)
        while True:
            try:
                async with self.shapers[worker].turn("up", self.backend, ticket) as turn:
                    counted = tokens if used is None else used
                    outcome = await self.exchange(turn.key.credential or "", ticket, counted, seconds)
                    self.shapers[worker].report("up", turn, outcome)
            except LateError as late:
                self.late.append((tenant, late.retry_after))
                return False
            if outcome.kind is OutcomeKind.ANSWERED:
                self.served.append(tenant)
                return True

    async def exchange(self, key: str, ticket: Ticket, used: int, lasts: float | None) -> Outcome:
        sent, seconds = self.clock.now, self.seconds if lasts is None else lasts
        assert sent < ticket.deadline, "sent too late"
        assert not [pause for pause in self.refused if pause[0] == key and pause[1] < sent < pause[2]], "a pause"
        self.running[key] += 1
        self.most_running[key] = max(self.most_running[key], self.running[key])
        on_the_way = seconds * (0.0 if self.seed is None else self.chance.random())
        try:
            await self.clock.sleep(on_the_way)
            self.journal.append(Entry(self.clock.now, key, ticket.tenant, used))
            if self.refusals and (refusal := self.refusals.pop(0)) is not None:
                self.refused.append((key, self.clock.now, self.clock.now + refusal))
                return Outcome(OutcomeKind.BUSY, retry_after=refusal or None)
            await self.clock.sleep(seconds - on_the_way)
        finally:
            self.running[key] -= 1
        return Outcome(OutcomeKind.ANSWERED, (Answer(Shape.SCORE, b"", 0, used),))

    def worst(self, key: str) -> tuple[int, int]:
        """Most calls and most tokens that the upstream saw in any true minute."""
        seen = [entry for entry in self.journal if entry.key == key]
        windows = [[entry for entry in seen if last.at - WINDOW < entry.at <= last.at] for last in seen]
        return (
            max(map(len, windows), default=0),
            max((sum(entry.tokens for entry in window) for window in windows), default=0),
        )


def many(town: Town, number: int, tenant: str = "t", **fields: float | str) -> list[asyncio.Task[bool]]:
    return [
        asyncio.ensure_future(town.call(at % town.workers, tenant, **fields))  # type: ignore[arg-type]
        for at in range(number)
    ]
