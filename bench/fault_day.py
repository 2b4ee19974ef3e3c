"""A day of faults in two minutes: what is lost, let in beyond limits or not billed, how slow it gets, and how long.

The gateway is the real process with two workers and its embedded store; the upstream counts what it answers. Callers
keep their connections and never try again. A call is lost when it was sent and no answer came; killing a worker loses
what it was answering, and nothing can help that. Tokens lost are those the upstream counts and the ledger does not
have. `recovers` is the time from the fault's end to that of the last call that was not answered well.

Exit code 1 if a bar is broken.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fakes.jina_upstream import embeddings, tokens_of
from fakes.running_gateway import Gateway, launched
from fakes.steady import Result, Steady

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

WORKERS = 2
RATE = 60.0
LEAD, AFTER = 1.5, 4.5
"""Seconds of calls before a fault begins, and after it is over."""

PAUSE = 2.0
FLOOD = 5.0
LORIS = 200
RPM = 120
OK = 200
LONGEST = 10.0
"""Seconds until calls are answered well again, and until slow senders are closed."""

CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: k, concurrency: 500}}}}
server: {{timeout: 20, receive_timeout: 5}}
limits: {{ip_failures_per_minute: null}}
tiers: {{wide: {{rpm: 10000000, tpm: 1000000000, concurrency: 300}}, few: {{rpm: {rpm}}}}}
tenants: {{many: {{tier: wide, keys: [key-of-many]}}, few: {{tier: few, keys: [key-of-few]}}}}
"""


@dataclass
class Upstream:
    """Answers, or waits, or talks nonsense; `tokens` are those of whole answers."""

    tokens: int = 0
    garbage: bool = False
    running: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """One call."""
        call: dict[str, Any] = orjson.loads(await request.read())
        await self.running.wait()
        if self.garbage:
            return web.Response(body=b'{"data": [{"embedding": [nan', content_type="application/json")
        self.tokens += sum(map(tokens_of, call["input"]))
        return web.Response(body=orjson.dumps(embeddings(call)), content_type="application/json")


@dataclass(frozen=True)
class Row:
    """What one fault did; `may_lose` is how many calls it may take along."""

    fault: str
    result: Result
    over: int
    tokens: int
    recovers: float
    may_lose: int = 0

    @property
    def broken(self) -> bool:
        """Whether a bar is."""
        lost = len(self.result.lost) + self.result.refused
        return lost > self.may_lose or self.over > 0 or self.tokens > self.may_lose * 3 or self.recovers > LONGEST

    def __str__(self) -> str:
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(self.result.statuses.items()))
        lost = len(self.result.lost) + self.result.refused
        return (
            f"{self.fault:<24}{len(self.result.calls):>7}{lost:>6}{self.over:>6}{self.tokens:>8}"
            f"{self.result.p99 * 1_000:>9.0f}{self.recovers:>9.1f}  {'BROKEN' if self.broken else 'ok':<7}{statuses}"
        )


class Day:
    """One gateway, from fault to fault."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._written_off = 0
        self._texts = texts("many")
        self._few = Steady(gateway.url, "key-of-few", texts("few"))

    async def run(self) -> list[Row]:
        """All faults, one after the other."""
        over = asyncio.Event()
        limited = asyncio.create_task(self._few.run(6, over.is_set))
        rows = [
            await self._fault("nothing", self._nothing),
            await self._fault("store killed", self._kill("store")),
            await self._fault("worker killed", self._kill("worker-0"), may_lose=50),
            await self._fault("store stopped, 2 s", self._stopped("store")),
            await self._fault("upstream stopped, 2 s", self._upstream_stopped),
            await self._fault("upstream garbage, 2 s", self._upstream_garbage),
            await self._fault(f"{LORIS} slow senders", self._slow_senders),
            await self._fault("5 times too many calls", self._flood),
            await self._fault("workers replaced", self._replaced),
        ]
        over.set()
        await limited
        return rows

    async def _fault(self, name: str, happens: Callable[[], Awaitable[None]], may_lose: int = 0) -> Row:
        callers = Steady(self._gateway.url, "key-of-many", self._texts)
        over = asyncio.Event()
        calling = asyncio.create_task(callers.run(RATE, over.is_set))
        await asyncio.sleep(LEAD)
        began = time.monotonic()
        await happens()
        ended = time.monotonic()
        await asyncio.sleep(AFTER)
        over.set()
        result = await calling
        row = Row(
            name, result, self._over_admitted(), await self._tokens_lost(), result.recovered(began, ended), may_lose
        )
        print(row, flush=True)
        for why in sorted(set(result.lost))[:3]:
            print(f"    lost: {why}")
        return row

    def _over_admitted(self) -> int:
        """Most calls of the limited tenant that were surely let in within one minute, beyond its limit."""
        good = sorted((call for call in self._few.result.calls if call.status == OK), key=lambda call: call.ended)
        windows = (sum(call.began > last.ended - 60 and call.ended <= last.ended for call in good) for last in good)
        return max(0, max(windows, default=0) - RPM)

    async def _tokens_lost(self) -> int:
        """Once the ledger has had time to hear of everything: a killed worker's journal is read by another."""
        deadline = time.monotonic() + 10
        while True:
            missing = self._upstream.tokens - await self._booked() - self._written_off
            if missing <= 0 or time.monotonic() > deadline:
                self._written_off += missing
                return missing
            await asyncio.sleep(0.2)

    async def _booked(self) -> int:
        booked = 0
        for key in ("key-of-many", "key-of-few"):
            answer = await self._gateway.get("/v1/usage", Authorization=f"Bearer {key}")
            booked += answer.json.get("tenant_totals", {}).get("upstream_tokens", 0)
        return booked

    async def _nothing(self) -> None:
        """As a measure for the rest."""

    def _kill(self, child: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            os.kill(self._gateway.pid(child), signal.SIGKILL)

        return kill

    def _stopped(self, child: str) -> Callable[[], Awaitable[None]]:
        async def stop() -> None:
            with self._gateway.paused(self._gateway.pid(child)):
                await asyncio.sleep(PAUSE)

        return stop

    async def _upstream_stopped(self) -> None:
        self._upstream.running.clear()
        await asyncio.sleep(PAUSE)
        self._upstream.running.set()

    async def _upstream_garbage(self) -> None:
        self._upstream.garbage = True
        await asyncio.sleep(PAUSE)
        self._upstream.garbage = False

    async def _slow_senders(self) -> None:
        """Each sends a head that does not end, a byte at a time, until it is closed."""
        host, _, port = self._gateway.url.removeprefix("http://").rpartition(":")

        async def drip() -> float:
            reader, writer = await asyncio.open_connection(host, int(port))
            began = time.monotonic()
            with suppress(ConnectionError):
                writer.write(b"POST /v1/embeddings HTTP/1.1\r\nX-Slow: ")
                while not reader.at_eof() and time.monotonic() - began < 2 * LONGEST:
                    writer.write(b"a")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1_000), 0.3)
            writer.close()
            return time.monotonic() - began

        longest = max(await asyncio.gather(*(drip() for _ in range(LORIS))))
        print(f"    the last slow sender was closed after {longest:.1f} s")

    async def _flood(self) -> None:
        flood = Steady(self._gateway.url, "key-of-many", self._texts)
        rate = 5 * await flood.maximum(1.0)
        until = time.monotonic() + FLOOD
        result = await flood.run(rate, lambda: time.monotonic() > until)
        print(
            f"    {rate:.0f} a second were wanted, {len(result.calls) / (FLOOD + 1):.0f} sent: "
            f"{dict(result.statuses)}, {len(result.lost)} lost, {result.refused} refused"
        )

    async def _replaced(self) -> None:
        os.kill(self._gateway.process.pid, signal.SIGUSR2)
        while "all workers are replaced" not in self._gateway.logged():  # noqa: ASYNC110 - another process's words
            await asyncio.sleep(0.1)


def texts(name: str) -> Iterator[str]:
    """Half of them new."""
    for number in itertools.count():
        yield f"{name} new {number}" if number % 2 else f"{name} known {number % 14}"


async def main() -> int:
    """Run it and print the table."""
    upstream = Upstream()
    upstream.running.set()
    application = web.Application()
    application.router.add_post("/v1/embeddings", upstream.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = CONFIG.format(url="http://127.0.0.1:{1}".format(*runner.addresses[0]), rpm=RPM)
    try:
        async with launched(config, workers=WORKERS, key="key-of-many") as gateway:
            print(f"{'fault':<24}{'calls':>7}{'lost':>6}{'over':>6}{'tokens':>8}{'p99 ms':>9}{'recovers':>9}")
            rows = await Day(gateway, upstream).run()
    finally:
        await runner.cleanup()
    broken = [row.fault for row in rows if row.broken]
    print(f"broken: {', '.join(broken)}" if broken else "all bars hold")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
