from __future__ import annotations

from fakes.clock import FakeClock

from gateway.config.schema import Observe
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.vocabulary import Cause, Facts, Remaining, Saving

TIMES = 4
SECONDS = 0.25


def test_calls_that_are_told_together_are_counted_as_one_by_one() -> None:
    facts = Facts("embeddings", "request-1", model="m", tenant="t", hits=2, duplicates=1, reported_tokens=3)
    facts.savings = tuple(Saving(cause, 1, 2, 0.5, 0.125) for cause in (Cause.STORED, Cause.DUPLICATE))
    facts.remaining = Remaining(7, 900)
    together, alone = Metrics(), Metrics()
    RequestObserver(together, Observe(log_sample=0.0), FakeClock()).repeated(facts, [SECONDS] * TIMES)
    observer = RequestObserver(alone, Observe(log_sample=0.0), FakeClock())
    for _ in range(TIMES):
        observer.request(facts, SECONDS, None)
    assert together.render() == alone.render()
    assert b"gateway_saved_seconds_total" in together.render()[0]
