from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import configured, snapshot_of
from fakes.spans import NO_HEADERS, Kept, tracing_of
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.config.backends import Backend, ModelEntry
from gateway.config.traces import Traces
from gateway.dispatch.fleet import Trip
from gateway.dispatch.order import Order
from gateway.dispatch.tracing import came_back, departing
from gateway.ports import Exchange

if TYPE_CHECKING:
    from gateway.vocabulary import RequestTrace

SNAPSHOT = snapshot_of(
    configured(
        backends={"own": Backend(dialect="tei", url="http://own:8000")},
        models={"m": ModelEntry(backend="own", backend_model="there", dimensions=4)},
    )
)
EXCHANGE = Exchange("POST", "/embed", b"{}", {"authorization": "Bearer k"})
UNSAMPLED = f"00-{'a' * 32}-{'b' * 16}-00"


async def arrived(_: object) -> None:
    raise AssertionError


def order_of(trace: RequestTrace | None) -> Order:
    job: Any = SimpleNamespace(endpoint="embeddings")
    caller: Any = None
    return Order(SNAPSHOT, SNAPSHOT.served["m"], job, caller, 0.0, len, arrived, trace=trace)


def trip() -> Trip:
    nothing: Any = None
    return Trip(SNAPSHOT.served["m"].routes[0], nothing, 1, nothing, 0.0, tries=1, hedged=True)


def test_what_nobody_traces_goes_as_it_is() -> None:
    made = trip()
    assert departing(EXCHANGE, made, [order_of(None)]) is EXCHANGE
    came_back(made, 200)
    assert made.span is None


@pytest.mark.parametrize(("url", "host"), [(None, "own"), ("http://reader", "reader")])
def test_a_call_is_of_the_first_that_is_recorded_and_counts_those_that_are_traced(url: str | None, host: str) -> None:
    kept = Kept()
    tracing = tracing_of(Traces(endpoint="http://collector", sample=1), kept)
    quiet = tracing.begin(CIMultiDictProxy(CIMultiDict({"traceparent": UNSAMPLED})), "POST", "")
    first, second = (tracing.begin(NO_HEADERS, "POST", "") for _ in range(2))
    assert first is not None
    orders = [order_of(trace) for trace in (None, quiet, first, first, second)]
    made = trip()
    sent = departing(EXCHANGE, made, orders, items=5, url=url)
    came_back(made, 429)
    assert made.span is not None
    made.span.ended("busy", 0)
    [span] = kept.spans
    assert span.context.trace_id == first.context.trace_id
    assert sent.headers == {"authorization": "Bearer k", "traceparent": span.context.headers["traceparent"]}
    assert (
        span.attributes.items()
        >= {
            "gateway.requests": 3,
            "gateway.items": 5,
            "gateway.hedged": True,
            "gateway.backend": "own",
            "gen_ai.provider.name": "tei",
            "gen_ai.request.model": "there",
            "http.request.resend_count": 1,
            "http.response.status_code": 429,
            "server.address": host,
        }.items()
    )


def test_what_is_only_handed_on_goes_as_it_came() -> None:
    quiet = tracing_of(Traces(), None).begin(CIMultiDictProxy(CIMultiDict({"traceparent": UNSAMPLED})), "POST", "")
    assert departing(EXCHANGE, trip(), [order_of(quiet)]).headers["traceparent"] == UNSAMPLED
