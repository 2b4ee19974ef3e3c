"""E: turns facts into metrics, log lines and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.config.traces import Traces
from gateway.errors import Code
from gateway.observe.calls import note
from gateway.observe.logs import places
from gateway.observe.notice_metrics import NoticeMetrics
from gateway.observe.queue_metrics import QueueMetrics
from gateway.observe.request_log import RequestLog
from gateway.observe.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import CollectorRegistry

    from gateway.config.schema import Observe
    from gateway.errors import GatewayError
    from gateway.observe.metrics import Metrics
    from gateway.ports import Clock
    from gateway.vocabulary import Facts, Lane, Stage

_REJECTIONS = frozenset(code for code in Code if code.value.startswith(("AUTH", "RATE_")))
_ORDINARY = frozenset({"answered", "invalid", "model_not_found"})
_QUIET_SECONDS = 1.0


class RequestObserver:
    """ports.Observer, and the edge's: the last word on every request."""

    def __init__(self, metrics: Metrics, settings: Observe, clock: Clock, tracing: Tracing | None = None) -> None:
        self._metrics = metrics
        self._queues = QueueMetrics(metrics.registry)
        self._notices = NoticeMetrics(metrics.registry)
        self._requests = RequestLog(settings, clock)
        self.tracing = tracing or Tracing(Traces(), None, clock)
        # Bound once: the first is asked of every request.
        self.traces = self.tracing.wants
        self.trace = self.tracing.begin
        self.records = self.tracing.records
        self._clock = clock
        self._log = structlog.get_logger("gateway")
        self._told: dict[str, float] = {}

    @property
    def registry(self) -> CollectorRegistry:
        """Where metrics of parts that not every gateway has are kept, too."""
        return self._metrics.registry

    def before_render(self, report: Callable[[], None]) -> None:
        """Have `report` called when this process shows its metrics."""
        self._metrics.before_render.append(report)

    def request(self, facts: Facts, seconds: float, error: GatewayError | None, status: int = 200) -> None:
        """Count a request; log it if the log wants it, end its trace."""
        metrics = self._metrics
        metrics.request(facts.endpoint, str(status), error.code.value if error else "OK").inc()
        metrics.latency(facts.endpoint).observe(seconds)
        if error is not None and error.code in _REJECTIONS:
            metrics.rejection(error.code.value).inc()
        self._count_estimate(facts)
        self._count_facts(facts)
        self._requests.request(facts, seconds, error, status)
        if facts.trace is not None:
            facts.trace.answered(facts, error.code.value if error else "", status)

    def repeated(self, facts: Facts, seconds: Sequence[float], times: int | None = None) -> None:
        """Count as many requests as `seconds` has, answered from the cache; they are not logged.

        `facts` are those of each, or, with 1 as `times`, of all together.
        """
        self._metrics.request(facts.endpoint, "200", "OK").inc(len(seconds))
        self._metrics.latency(facts.endpoint).observe_all(seconds)
        self._count_facts(facts, len(seconds) if times is None else times)

    def wanted(self, seconds: float) -> bool:
        """Whether a successful request that took so long is to be logged."""
        return self._requests.wanted(seconds)

    def line(self, facts: Facts, seconds: float, traceparent: str = "") -> None:
        """Log a successful request, of which no span is recorded, with its client's trace."""
        facts.trace = self.tracing.passed(traceparent)
        self._requests.line(facts, seconds)

    def _count_facts(self, facts: Facts, times: int = 1) -> None:
        tenant = self._metrics.limits.tenant(facts.tenant) if facts.tenant else ""
        self._count_units(facts, tenant, times)
        self._count_savings(facts, tenant, times)

    def _count_units(self, facts: Facts, tenant: str, times: int) -> None:
        metrics = self._metrics
        for outcome, count in (("hit", facts.hits), ("miss", facts.misses), ("duplicate", facts.duplicates)):
            if count:
                metrics.units(facts.endpoint, outcome).inc(count * times)
        for kind, tokens in (("reported", facts.reported_tokens), ("upstream", facts.upstream_tokens)):
            if tokens:
                metrics.tokens(facts.model, kind).inc(tokens * times)
                metrics.tenant_tokens(tenant, kind).inc(tokens * times)

    def _count_estimate(self, facts: Facts) -> None:
        if facts.estimated_tokens and facts.upstream_tokens:
            self._metrics.estimate(facts.model).observe(facts.estimated_tokens / facts.upstream_tokens)
            if facts.upstream_tokens > facts.estimated_tokens:
                self._metrics.excess(facts.model).inc(facts.upstream_tokens - facts.estimated_tokens)

    def _count_savings(self, facts: Facts, tenant: str, times: int) -> None:
        metrics = self._metrics
        for saving in facts.savings:
            metrics.saved("inputs", facts.model, saving.cause.value).inc(saving.units * times)
            metrics.saved("tokens", facts.model, saving.cause.value).inc(saving.tokens * times)
            metrics.saved("dollars", facts.model, saving.cause.value).inc(saving.dollars * times)
            metrics.saved("seconds", facts.model, saving.cause.value).inc(saving.seconds * times)
            metrics.tenant_saved(tenant, saving.cause.value).inc(saving.tokens * times)

    def defect(self, facts: Facts, error: Exception) -> None:
        """An exception nobody expected: its type and where it passed, without its message, which may quote an input."""
        self._log.error(
            "defect",
            request_id=facts.request_id,
            endpoint=facts.endpoint,
            error=type(error).__name__,
            places=places(error),
        )

    def stage(self, stage: Stage, seconds: float) -> None:
        """A stage ended."""
        self._metrics.stage[stage].observe(seconds)

    def upstream_call(self, backend: str, endpoint: str, outcome: str, seconds: float, tokens: int) -> None:
        """A call to a backend ended; what is not the client's doing is logged, for whoever asks why."""
        note(backend, outcome, seconds, tokens)
        self._metrics.upstream(backend, endpoint, outcome).inc()
        self._metrics.upstream_latency(backend).observe(seconds)
        if outcome not in _ORDINARY:
            self._log.warning(
                "upstream call failed",
                backend=backend,
                endpoint=endpoint,
                outcome=outcome,
                milliseconds=round(seconds * 1000, 3),
            )

    def shadowed(self, scope: str) -> None:
        """A limit in shadow mode would have refused a request."""
        self._metrics.limits.shadowed(scope).inc()

    def degraded(self, decision: str) -> None:
        """A request was decided without the store."""
        self._metrics.limits.degraded(decision).inc()

    def unjournaled(self) -> None:
        """The journal of the ledger takes no more."""
        self._metrics.unjournaled.inc()

    def threshold(self, tenant: str, meter: str, share: str) -> None:
        """A tenant used that share of a budget or its balance."""
        self._notices.threshold(tenant, meter, share).inc()
        self._log.warning("spending threshold", tenant=tenant, meter=meter, share=share)

    def notice(self, outcome: str) -> None:
        """What became of a try to deliver a notice."""
        self._notices.outcome(outcome).inc()

    def job_notice(self, outcome: str) -> None:
        """The same of one to a client about its job."""
        self._notices.job_outcome(outcome).inc()

    def upstream_queued(self, backend: str, lane: Lane, seconds: float, length: int) -> None:  # noqa: ARG002 - ports.Observer
        """A call left the queue of a backend."""
        self._queues.seconds(backend, lane.value).observe(seconds)

    def upstream_paused(self, backend: str) -> None:
        """A backend refused a call for its rate."""
        self._queues.paused(backend).inc()

    def upstream_health(self, backend: str, model: str, state: str) -> None:
        """A backend is well, or left alone, from now on."""
        if state == "ejected":
            self._queues.ejected(backend).inc()
        else:
            for kind in ("open", "half_open", "drifted"):
                self._queues.unwell(backend, model, kind).set(kind == state)
        level = self._log.info if state in {"closed", "half_open"} else self._log.warning
        level("upstream health", backend=backend, model=model, state=state)

    def upstream_drifted(self, backend: str, revision: str, reason: str, *, guessed: bool) -> None:
        """Vectors of one revision are not of one space: the loudest thing there is to say."""
        self._queues.drifts(backend, revision).inc()
        self._log.error("vector space drifted", backend=backend, revision=revision, reason=reason, guessed=guessed)

    def upstream_misfit(self, backend: str) -> None:
        """Our key, address or model name is wrong there."""
        self._queues.misfits(backend).inc()

    def upstream_hedged(self, backend: str) -> None:
        """A slow call was sent there, too."""
        self._queues.hedged(backend).inc()

    def config_reload(self, outcome: str) -> None:
        """The configuration was read again."""
        self._metrics.reloads.labels(outcome).inc()

    def store_failure(self, role: str) -> None:
        """The store failed in that role. Every failure is counted; one a second is logged, lest the log fills up."""
        self._metrics.store_failure(role).inc()
        now = self._clock.monotonic()
        if now - self._told.get(role, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self._told[role] = now
            self._log.warning("store command failed", role=role)
