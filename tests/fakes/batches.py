"""P: the batch engine on fakes and a virtual clock: runners (a worker each) over one store of jobs and files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fakes.clock import settled
from fakes.files import FakeFiles, FakeInput
from fakes.jobs import FakeEvents, FakeJobs, FakeWatch

from gateway.jobs.chunk import Chunks
from gateway.jobs.lifecycle import whole_input
from gateway.jobs.prepare import Preparation
from gateway.jobs.runner import Runner
from gateway.jobs.telling import Telling
from gateway.ports.jobs import Batch, Order

if TYPE_CHECKING:
    import asyncio

    from fakes.gateway import Gateway

NANO = "jina-embeddings-v5-text-nano"
LEASE = 15
"""Seconds."""


@dataclass
class Engine:
    """`begin` starts a worker's runner; jobs are those of tenant `search` in `gateway`."""

    gateway: Gateway
    files: FakeFiles = field(default_factory=FakeFiles)
    source: FakeInput = field(default_factory=FakeInput)
    events: FakeEvents = field(default_factory=FakeEvents)
    watch: FakeWatch = field(default_factory=FakeWatch)

    def __post_init__(self) -> None:
        self.clock = self.gateway.clock
        self.jobs = FakeJobs(self.clock.monotonic)
        self.running: list[asyncio.Task[None]] = []

    def begin(self) -> Runner:
        pipeline, clock = self.gateway.pipeline, self.clock
        runner = Runner(
            jobs=self.jobs,
            files=self.files,
            preparation=Preparation(self.files, self.source, lambda: pipeline.snapshot, clock),
            chunks=Chunks(pipeline, self.files, clock, self.gateway.seen, self.watch),
            telling=Telling(self.events, lambda: pipeline.snapshot),
            settings=lambda: pipeline.snapshot.config.jobs,
            clock=clock,
            tasks=self.gateway.tasks,
            watch=self.watch,
        )
        self.running += runner.start()
        return runner

    async def kill(self) -> None:
        """All runners vanish, and nothing that they hold is given back."""
        self.jobs.down = True
        for task in self.running:
            task.cancel()
        await settled()
        self.jobs.down = False

    async def close(self) -> None:
        for task in self.running:
            task.cancel()
        await settled()

    async def add(self, *texts: Any, name: str = "batch_1", **changes: Any) -> Order:
        """A job with these inputs; strings that begin with `!` are lines as they are."""
        caller = next(c for c in self.gateway.pipeline.snapshot.directory.values() if c.tenant == "search")
        now = self.clock.epoch()
        fields: dict[str, Any] = {
            "key_id": caller.key_id,
            "expires": now + 86_400,
            "options": '{"task":"text-matching","normalized":true}',
        }
        order = Order(name, "search", model=NANO, created=now, **(fields | changes))
        lines = (
            text[1:] if text.startswith("!") else json.dumps({"custom_id": text, "body": {"input": text}})
            for text in texts
        )
        await self.files.put(whole_input(name), "\n".join(lines).encode())
        await self.jobs.create(order, len(texts), 100)
        return order

    def batch(self, name: str = "batch_1") -> Batch:
        return self.jobs.kept[name].batch

    def read(self, kind: str, name: str = "batch_1") -> list[Any]:
        """The lines of the output or of the errors."""
        begin = f"batches/{name}/{kind}/"
        parts = [content for path, content in sorted(self.files.kept.items()) if path.startswith(begin)]
        return [json.loads(line) for part in parts for line in part.splitlines()]

    def ids(self, kind: str, name: str = "batch_1") -> list[str]:
        return [line["custom_id"] for line in self.read(kind, name)]

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Step by step, as what wakes may wake others."""
        while seconds > 0:
            await self.clock.advance(min(step, seconds))
            seconds -= step
