"""E: metrics and log lines of batch jobs (ports.jobs.JobWatch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter

from gateway.errors import StoreError
from gateway.observe.logs import places
from gateway.ports.jobs import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from gateway.observe.tracing import Tracing
    from gateway.ports import Observer
    from gateway.ports.jobs import Order, Tally
    from gateway.vocabulary import RequestTrace

ROLE = "jobs"


class JobMetrics:
    """Jobs are counted as they come to a state: those in it now are a difference of such counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        jobs = Counter(
            "gateway_batch_jobs",
            "Batch jobs that came to a state: pending, processing, completed, failed, cancelled, expired.",
            ("state",),
            registry=registry,
        )
        lines = Counter(
            "gateway_batch_lines",
            "Lines of batch jobs that are done: completed, failed.",
            ("outcome",),
            registry=registry,
        )
        self.jobs = {state: jobs.labels(state.value) for state in State}
        self.completed, self.failed = lines.labels("completed"), lines.labels("failed")


class JobTelemetry:
    """What a job's runner tells, as metrics and log lines."""

    def __init__(self, registry: CollectorRegistry, observer: Observer, tracing: Tracing) -> None:
        self._observer = observer
        self.trace: Callable[[], RequestTrace | None] = tracing.own
        self._log = structlog.get_logger("gateway.jobs")
        self._metrics = JobMetrics(registry)

    def moved(self, order: Order, state: State, error: str = "") -> None:
        """A job is in that state from now on."""
        self._metrics.jobs[state].inc()
        told = {"error": error} if error else {}
        self._log.info("batch job", job=order.id, tenant=order.tenant, model=order.model, state=state.value, **told)

    def lines(self, tally: Tally) -> None:
        """So many lines more are done."""
        self._metrics.completed.inc(tally.completed)
        self._metrics.failed.inc(tally.failed)

    def trouble(self, order: Order | None, error: Exception) -> None:
        """The store did not answer, or there is a defect: its type and places, as its text may quote an input."""
        if isinstance(error, StoreError):
            self._observer.store_failure(ROLE)
            return
        name = order.id if order else ""
        self._log.error("batch job step failed", job=name, error=type(error).__name__, places=places(error))
