"""E: a whole gateway on fakes behind a real socket."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fakes.batches import Engine
from fakes.gateway import Gateway
from fakes.streams import FakeStreams, relay_of

from gateway.app.relays import relayed_paths
from gateway.clock import SystemClock
from gateway.config.schema import Observe
from gateway.edge.batches import Batches
from gateway.edge.bulk import Bulk
from gateway.edge.classifiers import Classifiers
from gateway.edge.fast_calls import FastCalls
from gateway.edge.operations import Operations
from gateway.edge.relayed import Door
from gateway.edge.segment import Segmenter
from gateway.edge.server import Edge, HttpServer, http_server
from gateway.edge.usage import UsageReport
from gateway.edge.webhook_secret import PATH as WEBHOOK_SECRET
from gateway.edge.webhook_secret import WebhookSecret
from gateway.endpoints.batch import ALL, ONE
from gateway.endpoints.bulk import BELOW
from gateway.endpoints.bulk import PATH as BULK
from gateway.endpoints.classifiers import PATH as CLASSIFIERS
from gateway.fast.formed import FormedCalls
from gateway.fast.lists import ListedCalls
from gateway.fast.means import Means
from gateway.fast.path import FastPath
from gateway.fast.reports import Reports
from gateway.jobs.telling import Telling
from gateway.local_calls import LocalCalls
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.config.schema import Config
    from gateway.edge.server import Route


class Served:
    """A gateway on fakes behind a real socket."""

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        return self.metrics.render(accept)

    def __init__(self, config: Config, *, fast: bool = True) -> None:
        self.metrics = Metrics()
        self.observer = RequestObserver(self.metrics, Observe(log_sample=0.0), SystemClock())
        self.gateway = Gateway(config, self.observer, layered=True)
        operations = Operations(self.gateway.pipeline, self.gateway.quota, self.scrape)
        usage = UsageReport(self.gateway.pipeline, self.gateway.books, self.gateway.clock)
        calls = LocalCalls(self.gateway.pipeline, self.gateway.admission, self.gateway.count)
        self.segmenter = Segmenter(self.gateway.pipeline, calls, self.gateway.clock)
        secret = WebhookSecret(self.gateway.pipeline, self.gateway.clock)
        made = self.gateway
        classifiers = Classifiers(made.pipeline, calls, made.shelf, made.dispatcher, made.clock)
        self.streams = FakeStreams()
        door = Door(self.gateway.pipeline, relay_of(self.gateway, self.streams), self.gateway.clock)
        clock = self.gateway.clock
        self.engine = engine = Engine(self.gateway)
        batches = Batches(
            pipeline=self.gateway.pipeline,
            calls=calls,
            jobs=engine.jobs,
            files=engine.files,
            telling=Telling(engine.events, lambda: self.gateway.pipeline.snapshot),
            watch=engine.watch,
            clock=clock,
        )
        routes: dict[str, Route] = {
            **relayed_paths(door, self.segmenter),
            ONE: batches,
            ALL: batches,
            WEBHOOK_SECRET: secret,
            **dict.fromkeys((CLASSIFIERS, f"{CLASSIFIERS}/"), classifiers),
        }
        bulk = Bulk(batches, self.gateway.pipeline, engine.files)
        routes |= {BULK: bulk, BELOW: bulk}
        self.fast = self.fast_calls() if fast else None
        self.edge = Edge(self.gateway.pipeline, operations, usage, clock, self.observer, routes=routes, fast=self.fast)
        self.http: HttpServer
        self.address = ("127.0.0.1", 0)
        self.url = ""

    def fast_calls(self) -> FastCalls:
        made = self.gateway
        means = Means(
            pipeline=made.pipeline,
            leases=made.leases,
            trace=made.trace,
            bulk_gate=made.bulk_gate,
            books=made.books,
            observer=self.observer,
            clock=made.clock,
            tasks=made.tasks,
            reports=Reports(made.clock, made.tasks),
        )
        self.observer.before_render(means.reports.now)
        path = self.fast_path = FastPath(means, made.layer, 10_000_000)
        formed = self.formed = FormedCalls(means, made.layer, made.sources)
        self.listed = ListedCalls(means, formed, made.layer)
        return FastCalls(path, formed, self.listed, made.clock)


@asynccontextmanager
async def serving(config: Config, *, fast: bool = True) -> AsyncIterator[Served]:
    """A gateway that listens."""
    made = Served(config, fast=fast)
    http = made.http = http_server(made.edge, config.server, SystemClock(), made.fast)
    listener = socket.create_server(("127.0.0.1", 0))
    made.address = listener.getsockname()
    made.url = f"http://127.0.0.1:{made.address[1]}"
    server = await asyncio.get_running_loop().create_server(http, sock=listener)
    yield made
    server.close()
    http.pre_shutdown()
    await http.shutdown(1.0)
    made.segmenter.close()
