"""E: the console behind a real socket, on fakes."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from fakes.accounts import FakeAccounts
from fakes.gateway import SECRET, Gateway, configured
from fakes.jobs import FakeJobs
from fakes.live import FakeLive, FakeReadings

from gateway.administration.administrator import Administrator
from gateway.admit.reservation import Admission
from gateway.admit.standing import Standing
from gateway.authenticate import digest
from gateway.clock import SystemClock
from gateway.config.schema import Admin as AdminSettings
from gateway.config.schema import LimitSettings, Observe
from gateway.edge.admin import Admin
from gateway.edge.console.console import Console
from gateway.edge.console.lately import Lately, word
from gateway.edge.console.playground import Playground
from gateway.edge.console.session import COOKIE, form_token, opened
from gateway.edge.console.sources import Sources
from gateway.edge.console.stock import Contents, Purged, Room, Shelf
from gateway.edge.console.views import Views
from gateway.edge.errors import status_of
from gateway.edge.server import HttpServer
from gateway.errors import StoreError
from gateway.observe.calls import watched
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.observe.sums import Sums
from gateway.observe.tally import Tally
from gateway.settle.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "the-token-of-the-admin"
SAME = {"Sec-Fetch-Site": "same-origin"}


class FakeStock:
    """A cache of two models; `purged` is what was asked."""

    def __init__(self) -> None:
        self.down = False
        self.keys = 10
        self.counted = 0
        self.purged: list[tuple[str, str, int | None]] = []
        self.hold: asyncio.Event | None = None

    async def room(self) -> Room | None:
        if self.down:
            raise StoreError("down")
        return Room(self.keys, 2_000_000, 0, "noeviction", 3, 4)

    async def contents(self) -> Contents:
        self.counted += 1
        return Contents([Shelf("m1", 1_200, 5_000_000, 9_000), Shelf("m2", 1, 10, 1)], 1, 2)

    async def purge(self, model: str, tenant: str, before: int | None) -> Purged:
        self.purged.append((model, tenant, before))
        if self.hold is not None:
            await self.hold.wait()
        return Purged(1_234, 5)


class World:
    """`get` and `send` keep no cookies: `cookie` is what is sent."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        metrics = Metrics()
        observer = RequestObserver(metrics, Observe(log_sample=0.0), SystemClock())
        self.gateway = Gateway(
            configured(admin=AdminSettings(port=0, token=TOKEN), limits=LimitSettings(ip_failures_per_minute=3)),
            observer,
        )
        pipeline, clock = self.gateway.pipeline, self.gateway.clock
        self.accounts = FakeAccounts()
        self.jobs = FakeJobs(clock.epoch)
        self.live, self.stock = FakeLive(), FakeStock()
        admission = Admission(self.gateway.leases, self.gateway.quota, observer)
        desk = Administrator(self.accounts, lambda: pipeline.snapshot.config, SECRET, clock, self.entropy)
        sources = Sources(
            desk=desk,
            ledger=self.gateway.ledger,
            jobs=self.jobs,
            store=self.gateway.quota,
            fleet=self.gateway.fleet,
            clock=clock,
            snapshot=lambda: pipeline.snapshot,
            workers=lambda: 2,
            lately=Lately(self.live, clock),
            standing=Standing(FakeReadings(self.gateway.quota), self.gateway.budgets),
            stock=self.stock,
            sums=Sums(metrics).cache,
        )
        self.sources = sources
        self.pulse = Pulse(
            self.live, clock, Tally(metrics.registry).amounts, lambda: word(clock.epoch(), sources.places())
        )
        views = Views(sources, Playground(pipeline, clock, observer, status_of, watched), self.gateway.tasks)
        self.admin = Admin(desk, admission, SECRET, clock, observer, console=Console(views, admission, SECRET))
        self.token = digest(TOKEN, SECRET)
        self.cookie = opened("nonce", clock.epoch(), self.token, SECRET)
        self.url = ""
        self._drawn = 0
        self.client = client

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count)

    @property
    def proof(self) -> str:
        return form_token(self.cookie, self.token, SECRET)

    async def get(self, path: str, method: str = "GET") -> tuple[aiohttp.ClientResponse, str]:
        headers = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        async with self.client.request(
            method, f"{self.url}/console{path}", headers=headers, allow_redirects=False
        ) as answer:
            return answer, await answer.text()

    async def send(
        self, form: str, fields: dict[str, str], headers: dict[str, str] | None = None, *, proof: str | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        sent = fields | {"proof": self.proof if proof is None else proof}
        known = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        async with self.client.post(
            f"{self.url}/console/{form}",
            data=sent,
            headers=known | (SAME if headers is None else headers),
            allow_redirects=False,
        ) as answer:
            return answer, await answer.text()


@asynccontextmanager
async def served_console() -> AsyncIterator[World]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        made = World(client)
        http = HttpServer(made.admin, "superset", SystemClock())
        listener = socket.create_server(("127.0.0.1", 0))
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = await asyncio.get_running_loop().create_server(http, sock=listener)
        yield made
        server.close()
        http.pre_shutdown()
        await http.shutdown(1.0)
