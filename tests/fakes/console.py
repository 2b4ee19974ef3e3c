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

from gateway.administration.administrator import Administrator
from gateway.admit.reservation import Admission
from gateway.authenticate import digest
from gateway.clock import SystemClock
from gateway.config.schema import Admin as AdminSettings
from gateway.config.schema import LimitSettings, Observe
from gateway.edge.admin import Admin
from gateway.edge.console.console import Console
from gateway.edge.console.playground import Playground
from gateway.edge.console.session import COOKIE, form_token, opened
from gateway.edge.console.sources import Sources
from gateway.edge.console.views import Views
from gateway.edge.errors import status_of
from gateway.edge.server import HttpServer
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "the-token-of-the-admin"
SAME = {"Sec-Fetch-Site": "same-origin"}


class World:
    """`get` and `send` keep no cookies: `cookie` is what is sent."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self.gateway = Gateway(
            configured(admin=AdminSettings(port=0, token=TOKEN), limits=LimitSettings(ip_failures_per_minute=3))
        )
        pipeline, clock = self.gateway.pipeline, self.gateway.clock
        self.accounts = FakeAccounts()
        self.jobs = FakeJobs(clock.epoch)
        observer = RequestObserver(Metrics(), Observe(log_sample=0.0), SystemClock())
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
        )
        views = Views(sources, Playground(pipeline, clock, observer, status_of))
        self.admin = Admin(desk, admission, SECRET, clock, observer, console=Console(views, admission, SECRET))
        self.token = digest(TOKEN, SECRET)
        self.cookie = opened("nonce", clock.epoch(), self.token, SECRET)
        self.url = ""
        self._drawn = 0
        self._client = client

    def entropy(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count)

    @property
    def proof(self) -> str:
        return form_token(self.cookie, self.token, SECRET)

    async def get(self, path: str, method: str = "GET") -> tuple[aiohttp.ClientResponse, str]:
        headers = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        async with self._client.request(
            method, f"{self.url}/console{path}", headers=headers, allow_redirects=False
        ) as answer:
            return answer, await answer.text()

    async def send(
        self, form: str, fields: dict[str, str], headers: dict[str, str] | None = None, *, proof: str | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        sent = fields | {"proof": self.proof if proof is None else proof}
        known = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        async with self._client.post(
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
