from __future__ import annotations

from fakes.observer import FakeObserver
from fakes.spans import tracing_of
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.config.traces import Traces
from gateway.errors import StoreError
from gateway.observe.jobs import JobTelemetry
from gateway.ports.jobs import Order, State, Tally

ORDER = Order("batch_1", "t", "key-1", "m", 0, 1, input_url="https://example.com/secret", webhook_url="https://hook")


def test_states_and_lines_are_counted_and_each_state_is_a_line() -> None:
    registry, observer = CollectorRegistry(), FakeObserver()
    watch = JobTelemetry(registry, observer, tracing_of(Traces(), None))
    assert watch.trace() is None
    with capture_logs() as logged:
        watch.moved(ORDER, State.PENDING)
        watch.moved(ORDER, State.FAILED, "no money")
        watch.lines(Tally(3, 1, 9))
        watch.trouble(None, StoreError("away"))
        watch.trouble(ORDER, ValueError("an input"))
    assert registry.get_sample_value("gateway_batch_jobs_total", {"state": "failed"}) == 1
    assert registry.get_sample_value("gateway_batch_lines_total", {"outcome": "completed"}) == 3
    assert registry.get_sample_value("gateway_batch_lines_total", {"outcome": "failed"}) == 1
    assert observer.store_failures == ["jobs"]
    assert [(line["event"], line.get("state"), line.get("error")) for line in logged] == [
        ("batch job", "pending", None),
        ("batch job", "failed", "no money"),
        ("batch job step failed", None, "ValueError"),
    ]
    assert not any(secret in str(logged) for secret in ("an input", "secret", "hook"))
