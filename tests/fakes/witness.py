"""E: an upstream that keeps a journal of who asked what and when, clients that keep theirs, and what both prove."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from aiohttp import web
from fakes.jina_upstream import embeddings, tokens_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
WINDOW = 60.0
LONGEST_AFTER = 5.0
"""Seconds that a call may go on at most when its client is gone."""

ANSWERS = {200, 429, 503}
"""What a client may be told while things fail; all else is a defect."""


@dataclass
class Witness:
    """The upstream. A text begins with its tenant's name; a reply takes up to its `slowest` seconds."""

    chance: random.Random
    slowest: dict[str, float] = field(default_factory=dict)
    asked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    running: Counter[str] = field(default_factory=Counter)
    most_running: Counter[str] = field(default_factory=Counter)
    peaked: dict[str, float] = field(default_factory=dict)
    gate: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        call: dict[str, Any] = orjson.loads(await request.read())
        (text,) = call["input"]
        tenant = text.split()[0]
        self.asked[text].append(now)
        self.running[tenant] += 1
        if self.running[tenant] > self.most_running[tenant]:
            self.most_running[tenant], self.peaked[tenant] = self.running[tenant], now
        try:
            await (
                self.gate.wait() if self.gate else asyncio.sleep(self.chance.uniform(0, self.slowest.get(tenant, 0.25)))
            )
        finally:
            self.running[tenant] -= 1
        return web.Response(body=orjson.dumps(embeddings(call)), content_type="application/json")

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/embeddings", self.answer)
        return application


@dataclass
class Told:
    """One call as its client knows it; no status: the client hung up, or its connection was lost."""

    text: str
    sent: float
    ended: float = 0.0
    status: int = 0
    tokens: int = 0

    @property
    def over(self) -> float:
        """When nothing of it can run any more: a worker may be paused while its client hangs up."""
        return self.ended if self.status else self.ended + LONGEST_AFTER


@dataclass
class Clients:
    """Of one tenant. Shares of the calls are hung up, or repeat a text that was answered."""

    gateway: Gateway
    tenant: str
    chance: random.Random
    longest: int = 3
    hang_ups: float = 0.15
    repeats: float = 0.1
    calls: list[Told] = field(default_factory=list)

    async def run(self, number: int, until: float) -> None:
        async def one() -> None:
            while time.monotonic() < until:
                await self.call(self._text())
                await asyncio.sleep(self.chance.uniform(0, 0.05))

        await asyncio.gather(*(one() for _ in range(number)))

    async def call(self, text: str) -> Told:
        told = Told(text, time.monotonic())
        self.calls.append(told)
        patience = self.chance.uniform(0.001, 0.3) if self.chance.random() < self.hang_ups else None
        try:
            async with asyncio.timeout(patience):
                answer = await self.gateway.embed([text], f"key-of-{self.tenant}", MODEL, embedding_type="base64")
        except (aiohttp.ClientError, TimeoutError, OSError):
            told.ended = time.monotonic()
            return told
        told.ended, told.status = time.monotonic(), answer.status
        if answer.status == 200:
            told.tokens = answer.json["usage"]["total_tokens"]
            assert told.tokens == tokens_of(text)
        return told

    def _text(self) -> str:
        if self.chance.random() < self.repeats and self.answered:
            return self.chance.choice(self.answered[-20:]).text
        return f"{self.tenant} {len(self.calls)}" + " w" * self.chance.randint(1, self.longest)

    @property
    def answered(self) -> list[Told]:
        return [told for told in self.calls if told.status == 200]

    @property
    def unsure(self) -> list[Told]:
        """Calls that nobody can say of whether they were answered."""
        return [told for told in self.calls if not told.status]


@dataclass(frozen=True)
class Admitted:
    """One admission: somewhere between `earliest` and `latest`."""

    earliest: float
    latest: float
    requests: int
    tokens: int


def admitted(clients: Clients, witness: Witness) -> list[Admitted]:
    """What was let in for sure: each call that was answered or reached the upstream, and each text that reached it.

    The same text may reach it again much later, as a store that is away or empty has no answers: each time counts when
    it was.
    """
    calls: dict[str, list[Told]] = defaultdict(list)
    for told in clients.calls:
        calls[told.text].append(told)
    return [entry for text, those in calls.items() for entry in _admitted(text, those, witness.asked.get(text, []))]


def _admitted(text: str, calls: list[Told], asked: list[float]) -> list[Admitted]:
    asking = {at: _asking(calls, at) for at in asked}
    seen = {id(told): at for at, told in asking.items()}
    requests = [
        Admitted(told.sent, seen.get(id(told), told.ended) if len(calls) == 1 or not told.status else told.ended, 1, 0)
        for told in calls
        if told.status == 200 or id(told) in seen
    ]
    return requests + [Admitted(told.sent, at, 0, tokens_of(text)) for at, told in asking.items()]


def _asking(calls: list[Told], at: float) -> Told:
    """The earliest call that can have reached the upstream then."""
    return min((told for told in calls if told.sent <= at <= told.over), key=lambda told: told.sent)


def worst_minute(entries: list[Admitted]) -> tuple[float, float]:
    """The true minute with most tokens, as it began and ended (monotonic seconds)."""

    def tokens(end: float) -> int:
        return sum(entry.tokens for entry in entries if entry.earliest > end - WINDOW and entry.latest <= end)

    end = max((entry.latest for entry in entries), key=tokens, default=0.0)
    return end - WINDOW, end


def worst_window(entries: list[Admitted]) -> tuple[int, int]:
    """Most requests and most tokens that were surely admitted within one true minute."""

    def windows() -> Iterator[list[Admitted]]:
        for last in entries:
            yield [e for e in entries if e.earliest > last.latest - WINDOW and e.latest <= last.latest]

    return (
        max((sum(entry.requests for entry in window) for window in windows()), default=0),
        max((sum(entry.tokens for entry in window) for window in windows()), default=0),
    )
