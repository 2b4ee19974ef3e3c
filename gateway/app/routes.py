"""E: the routes that answer by themselves, beside the pipeline's endpoints; what they run and what they close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.app.batches import BatchEngine
from gateway.app.job_events import job_events
from gateway.edge.classifiers import Classifiers
from gateway.edge.docs_page import PATHS as DOCS
from gateway.edge.docs_page import DocsPage
from gateway.edge.segment import Segmenter
from gateway.edge.webhook_secret import PATH as WEBHOOK_SECRET
from gateway.edge.webhook_secret import WebhookSecret
from gateway.endpoints.classifiers import PATH as CLASSIFIERS
from gateway.local_calls import LocalCalls

if TYPE_CHECKING:
    import asyncio

    from gateway.admit.reservation import Admission
    from gateway.app.relays import Relays
    from gateway.app.training import Trainer
    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.edge.server import Route
    from gateway.observe.observer import RequestObserver
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock
    from gateway.settle.ledger import Books
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.tasks import TaskGroup
    from gateway.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker has already when its routes are made; `line` leads to the store of limits."""

    pipeline: Pipeline
    admission: Admission
    books: Books
    upstream: Upstream
    line: Line
    keys: Keys
    tasks: TaskGroup
    clock: Clock
    observer: RequestObserver


class Routes:
    """`paths` is what Edge wants: a path, or the beginning of paths if it ends in a slash, and who answers there."""

    def __init__(self, parts: Parts, relays: Relays, trainer: Trainer, dispatcher: Dispatcher) -> None:
        calls = LocalCalls(parts.pipeline, parts.admission, parts.books.add)
        self._segmenter = Segmenter(parts.pipeline, calls, parts.clock)
        self._relays = relays
        self.paths: dict[str, Route] = relays.paths(self._segmenter)
        self.paths[WEBHOOK_SECRET] = WebhookSecret(parts.pipeline, parts.clock)
        events, self._job_courier = job_events(parts)
        self._batches = BatchEngine(parts, calls, events)
        self.paths |= self._batches.paths
        self._tasks = parts.tasks
        if parts.pipeline.snapshot.config.server.docs:
            self.paths |= dict.fromkeys(DOCS, DocsPage())
        self._trainer = trainer
        self._tracing = parts.observer.tracing
        classifiers = Classifiers(parts.pipeline, calls, trainer.shelf, dispatcher, parts.clock)
        self.paths |= dict.fromkeys((CLASSIFIERS, f"{CLASSIFIERS}/"), classifiers)

    def start(self) -> list[asyncio.Task[None]]:
        """Tasks that run while the worker serves; they are cancelled once every answer is out."""
        return [*self._batches.runner.start(), self._tasks.spawn(self._job_courier.run(), "job notices")]

    async def drain(self, seconds: float) -> None:
        """End what is not an answer within that time, while answers go out."""
        await self._batches.runner.drain(seconds)

    async def close(self) -> None:
        """After the tasks have ended."""
        self._segmenter.close()
        self._trainer.close()
        await self._relays.close()
        await self._tracing.close()
