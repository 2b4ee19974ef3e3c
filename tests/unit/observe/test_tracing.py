from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.spans import EPOCH, Kept, tracing_of
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.config.traces import Traces
from gateway.observe.spans import Kind
from gateway.vocabulary import Departure, Facts, Stage

if TYPE_CHECKING:
    from gateway.vocabulary import RequestTrace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"
DEPARTURE = Departure("jina", "jina", "https://api.jina.ai", "embeddings", "v3", 1)
ROOT = Path(__file__).resolve().parents[3]


def head(*parents: str, state: str = "") -> CIMultiDictProxy[str]:
    headers = CIMultiDict([("Traceparent", parent) for parent in parents])
    if state:
        headers.add("TraceState", state)
    return CIMultiDictProxy(headers)


@pytest.mark.parametrize(
    ("collector", "sample", "parent_based", "parent", "recorded"),
    [
        (False, 1, True, None, None),
        (False, 1, True, SAMPLED, False),
        (True, 0, True, None, None),
        (True, 0, True, SAMPLED, True),
        (True, 1, True, UNSAMPLED, False),
        (True, 1, True, None, True),
        (True, 1, True, "garbage", True),
        (True, 0, True, "garbage", None),
        (True, 0, False, SAMPLED, False),
        (True, 1, False, UNSAMPLED, True),
    ],
)
def test_who_is_traced(
    *, collector: bool, sample: float, parent_based: bool, parent: str | None, recorded: bool | None
) -> None:
    settings = Traces(endpoint="http://collector" if collector else None, sample=sample, parent_based=parent_based)
    tracing = tracing_of(settings, Kept() if collector else None)
    trace = tracing.begin(head(*([parent] if parent else [])), "POST", "")
    assert (None if trace is None else trace.recorded) is recorded
    if trace is not None and parent is not None and parent != "garbage":
        assert trace.context.trace_id == TRACE


def test_a_request_that_is_not_recorded_hands_on_what_came() -> None:
    tracing = tracing_of(Traces(), None)
    trace = tracing.begin(head(SAMPLED, state="a=1"), "POST", "")
    assert trace is not None
    trace.stage(Stage.PLAN, 0.0, 1.0)
    trace.shares(trace.context)
    call = trace.departs(DEPARTURE, ())
    assert call.headers == {"traceparent": SAMPLED, "tracestate": "a=1"}
    call.ended("answered", 1)
    trace.answered(Facts("embeddings", "r"), "", 200)


def test_two_contexts_are_none() -> None:
    tracing = tracing_of(Traces(), None)
    assert tracing.begin(head(SAMPLED, SAMPLED), "POST", "") is None


def test_asking_beforehand_does_not_sample_more() -> None:
    clock = FakeClock()
    tracing = tracing_of(Traces(endpoint="http://collector", sample=0.25), Kept(), clock)
    wanted = begun = 0
    for number in range(100):
        clock.chance = number % 8 / 8
        if tracing.wants(head()):
            wanted += 1
            assert tracing.wants(head()), "a yes stays until it is used"
            begun += tracing.begin(head(), "POST", "") is not None
    assert wanted == begun
    assert begun == 26


async def test_a_request_is_spans_of_its_stages_and_calls() -> None:
    kept = Kept()
    clock = FakeClock()
    tracing = tracing_of(Traces(endpoint="http://collector", sample=1), kept, clock)
    trace = tracing.begin(head(SAMPLED, state="a=1"), "POST", "/v1/embeddings")
    assert trace is not None
    await clock.advance(1)
    trace.stage(Stage.PLAN, clock.monotonic() - 1, 0.5)
    call = trace.departs(DEPARTURE, ())
    await clock.advance(1)
    call.status = 200
    call.ended("answered", 5)
    trace.stage(Stage.DISPATCH, clock.monotonic() - 1, 1)
    trace.answered(Facts("embeddings", "r", "m"), "", 200)
    sent, plan, dispatch, root = kept.spans
    assert [span.kind for span in kept.spans] == [Kind.CLIENT, Kind.INTERNAL, Kind.INTERNAL, Kind.SERVER]
    assert (root.parent, root.remote, root.context.state) == (SPAN, True, "a=1")
    assert {plan.parent, dispatch.parent} == {root.context.span_id}
    assert sent.parent == dispatch.context.span_id
    assert call.headers["traceparent"] == f"00-{TRACE}-{sent.context.span_id}-01"
    assert (root.began, root.ended) == (EPOCH, EPOCH + 2_000_000_000)
    assert (plan.began, plan.ended) == (EPOCH, EPOCH + 500_000_000)
    assert (sent.began, sent.ended) == (EPOCH + 1_000_000_000, EPOCH + 2_000_000_000)
    assert len({span.context.span_id for span in kept.spans}) == 4


def test_a_call_for_several_is_linked_to_those_that_are_recorded() -> None:
    kept = Kept()
    tracing = tracing_of(Traces(endpoint="http://collector", sample=1), kept)
    traces: list[RequestTrace] = []
    for parents in ([], [], [UNSAMPLED]):
        trace = tracing.begin(head(*parents), "POST", "")
        assert trace is not None
        traces.append(trace)
    first, second, quiet = traces
    first.departs(DEPARTURE, (second, quiet)).ended("unreachable", 0)
    second.stage(Stage.DISPATCH, 0.0, 0.1)
    second.answered(Facts("embeddings", "r", "m"), "", 200)
    call, dispatch, _ = kept.spans
    assert call.links == (first.context, second.context)
    assert (call.failed, call.attributes["gateway.requests"]) == (True, 3)
    assert [link.span_id for link in dispatch.links] == [call.context.span_id]


async def test_closing_exports_what_is_left() -> None:
    kept = Kept()
    await tracing_of(Traces(endpoint="http://collector"), kept).close()
    await tracing_of(Traces(), None).close()
    assert kept.closed


def test_only_what_exports_knows_opentelemetry() -> None:
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*.py")
        if "from opentelemetry" in path.read_text() or "import opentelemetry" in path.read_text()
    }
    assert knowing == {"gateway/observe/otel_spans.py", "gateway/observe/otlp.py"}


@pytest.mark.parametrize(("collector", "sample"), [(False, 1.0), (True, 0.0)])
def test_a_call_of_a_job_is_not_traced_without_collector_or_sample(*, collector: bool, sample: float) -> None:
    settings = Traces(endpoint="http://collector" if collector else None, sample=sample)
    assert tracing_of(settings, Kept() if collector else None).own() is None


@pytest.mark.parametrize(("code", "failed"), [("", False), ("RATE_REQUEST_LIMIT_EXCEEDED", True)])
def test_a_call_of_a_job_is_a_trace_of_its_own_and_no_request(code: str, *, failed: bool) -> None:
    kept = Kept()
    trace = tracing_of(Traces(endpoint="http://collector", sample=1.0), kept).own()
    assert trace is not None
    trace.stage(Stage.DISPATCH, 0.0, 0.5)
    trace.answered(Facts("embeddings", "batch_1.0", model="v3", tenant="t"), code, 0)
    stage, root = kept.spans
    assert (root.name, root.kind, root.parent, root.failed) == ("batch", Kind.INTERNAL, "", failed)
    assert (stage.name, stage.parent) == ("dispatch", root.context.span_id)
    assert root.attributes["gateway.request_id"] == "batch_1.0"
    assert not [name for name in root.attributes if name.startswith(("http.", "url."))]
    assert root.attributes.get("error.type", "") == code
