"""E: the batch engine put together: its route, its runner, what they stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.app.job_files import job_files
from gateway.edge.batches import Batches
from gateway.edge.bulk import Bulk
from gateway.endpoints.batch import ALL, ONE
from gateway.endpoints.bulk import BELOW
from gateway.endpoints.bulk import PATH as BULK
from gateway.jobs.chunk import Chunks
from gateway.jobs.prepare import Preparation
from gateway.jobs.runner import Runner
from gateway.jobs.telling import Telling
from gateway.observe.jobs import JobTelemetry
from gateway.stores.redis.jobs import RedisJobs

if TYPE_CHECKING:
    from gateway.app.routes import Parts
    from gateway.edge.server import Route
    from gateway.local_calls import LocalCalls
    from gateway.ports.jobs import JobEvents


class BatchEngine:
    """`paths` are those of the six operations."""

    def __init__(self, parts: Parts, calls: LocalCalls, events: JobEvents) -> None:
        pipeline, clock = parts.pipeline, parts.clock
        jobs = RedisJobs(parts.line, parts.keys)
        files, source = job_files(pipeline.snapshot.config, parts.upstream.foreign)
        watch = JobTelemetry(parts.observer.registry, parts.observer, parts.observer.tracing)
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
        bulk = Bulk(route, pipeline, files)
        self.paths: dict[str, Route] = {ONE: route, ALL: route, BULK: bulk, BELOW: bulk}
