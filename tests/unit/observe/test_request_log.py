from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from structlog.testing import capture_logs

from gateway.config.schema import Observe
from gateway.errors import GatewayError, internal_error, invalid_api_key
from gateway.observe.request_log import REFUSALS_A_SECOND, RequestLog
from gateway.observe.tracing import PassedTrace
from gateway.vocabulary import Facts, TraceContext

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    Lines = list[MutableMapping[str, Any]]


def logged(log: RequestLog, facts: Facts, seconds: float, error: GatewayError | None, status: int) -> Lines:
    with capture_logs() as lines:
        log.request(facts, seconds, error, status)
    return lines


@pytest.mark.parametrize(
    ("sample", "seconds", "error", "status", "shown"),
    [
        (0.0, 0.1, None, 200, 0),
        (1.0, 0.1, None, 200, 1),
        (0.4, 0.1, None, 200, 0),
        (0.6, 0.1, None, 200, 1),
        (0.0, 1.9, None, 200, 0),
        (0.0, 2.0, None, 200, 1),
        (0.0, 0.1, invalid_api_key(), 401, 1),
        (0.0, 0.1, internal_error(), 500, 1),
    ],
)
def test_what_is_logged(sample: float, seconds: float, error: GatewayError | None, status: int, shown: int) -> None:
    log = RequestLog(Observe(log_sample=sample, log_slow=2.0), FakeClock(chance=0.5))
    lines = logged(log, Facts("embeddings", "r1"), seconds, error, status)
    assert len(lines) == shown
    if shown:
        assert lines[0]["log_level"] == ("error" if status == 500 else "info")
        assert (lines[0]["request_id"], lines[0]["status"]) == ("r1", status)


async def test_a_flood_of_refusals_does_not_fill_the_disk_and_is_not_hidden() -> None:
    clock = FakeClock()
    log, facts = RequestLog(Observe(log_sample=0.0), clock), Facts("embeddings", "r1")
    shown = [len(logged(log, facts, 0.1, invalid_api_key(), 401)) for _ in range(REFUSALS_A_SECOND + 7)]
    assert sum(shown) == REFUSALS_A_SECOND
    assert len(logged(log, facts, 0.1, internal_error(), 500)) == 1, "our own failures are never left out"
    logged(log, facts, 0.1, invalid_api_key(), 401)
    await clock.advance(1)
    [line] = logged(log, facts, 0.1, invalid_api_key(), 401)
    assert line["suppressed"] == 1
    [line] = logged(log, facts, 0.1, invalid_api_key(), 401)
    assert "suppressed" not in line


def test_the_trace_is_named_where_there_is_one() -> None:
    log, facts = RequestLog(Observe(log_sample=1.0), FakeClock()), Facts("embeddings", "r1")
    assert "trace_id" not in logged(log, facts, 0.1, None, 200)[0]
    facts.trace = PassedTrace(TraceContext("a" * 32, "b" * 16, sampled=False))
    assert logged(log, facts, 0.1, None, 200)[0]["trace_id"] == "a" * 32
