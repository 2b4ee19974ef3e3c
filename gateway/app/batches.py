"""E: the batch engine put together: its route, its runner, what they stand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.edge.batches import Batches
from gateway.endpoints.batch import ALL, ONE
from gateway.jobs.chunk import Chunks
from gateway.jobs.prepare import Preparation
from gateway.jobs.runner import Runner
from gateway.jobs.telling import Telling
from gateway.observe.jobs import JobTelemetry
from gateway.stores.files import LocalFiles
from gateway.stores.job_input import JobInput
from gateway.stores.redis.jobs import RedisJobs

if TYPE_CHECKING:
    from gateway.app.routes import Parts
    from gateway.edge.server import Route
    from gateway.local_calls import LocalCalls

FILES = "jobs"
"""Below server.data_dir."""


class NoEvents:
    """ports.jobs.JobEvents that tells nobody."""

    async def posted(self, tenant: str, url: str, event: str, body: bytes) -> None:
        """Nothing."""


class BatchEngine:
    """`paths` are those of the six operations."""

    def __init__(self, parts: Parts, calls: LocalCalls) -> None:
        pipeline, clock = parts.pipeline, parts.clock
        settings = pipeline.snapshot.config
        jobs, events = RedisJobs(parts.line, parts.keys), NoEvents()
        files = LocalFiles(Path(settings.server.data_dir) / FILES)
        source = JobInput(parts.upstream.foreign, {}, ())
        watch = JobTelemetry(parts.observer.registry, parts.observer)
        telling = Telling(events, lambda: pipeline.snapshot)
        self.runner = Runner(
            jobs=jobs,
            files=files,
            preparation=Preparation(files, source, lambda: pipeline.snapshot, clock),
            chunks=Chunks(pipeline, files, clock, parts.observer, watch),
            telling=telling,
            settings=lambda: pipeline.snapshot.config.jobs,
            clock=clock,
            tasks=parts.tasks,
            watch=watch,
        )
        route = Batches(
            pipeline=pipeline, calls=calls, jobs=jobs, files=files, telling=telling, watch=watch, clock=clock
        )
        self.paths: dict[str, Route] = {ONE: route, ALL: route}
