"""E: what clients are told about their jobs, put together: who keeps it, and the courier that delivers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.notify.addresses import ClientAddresses
from gateway.notify.courier import Courier
from gateway.notify.job_events import JobEventNotices
from gateway.stores.redis.notices import RedisNotices

if TYPE_CHECKING:
    from gateway.app.routes import Parts


def job_events(parts: Parts) -> tuple[JobEventNotices, Courier]:
    """The port for whoever runs jobs, and a courier whose `run` is to be a task of the worker."""
    notices = RedisNotices(parts.line, parts.keys, of_jobs=True)
    addresses = ClientAddresses(parts.pipeline.snapshot.secret)
    courier = Courier(notices, parts.upstream.foreign, addresses, parts.clock, parts.observer)
    return JobEventNotices(notices, parts.clock), courier
