from __future__ import annotations

import importlib.util
import logging
import time
from collections import Counter
from typing import Any

import pytest
from fakes.collector import collecting

from gateway.config.traces import Traces
from gateway.observe import otlp
from gateway.observe.otel_spans import Spans
from gateway.observe.otlp import OtlpExporter, Quiet, missing_extra
from gateway.observe.spans import Kind, SpanRecord
from gateway.vocabulary import TraceContext

CONTEXT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True, state="a=1")
ROOT = SpanRecord("POST", Kind.SERVER, CONTEXT, "", 1, 5, {"gateway.items": 2}, links=(CONTEXT,), failed=True)


class Told:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, outcome: str, number: int) -> None:
        self.counts[outcome] += number


def test_a_record_becomes_the_span_that_it_describes() -> None:
    spans = Spans({"service.name": "gateway"})
    span = spans.of(ROOT)
    assert (span.name, span.kind.name, span.parent, span.start_time, span.end_time) == ("POST", "SERVER", None, 1, 5)
    assert (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}") == (CONTEXT.trace_id, CONTEXT.span_id)
    assert (dict(span.attributes), span.status.status_code.name) == ({"gateway.items": 2}, "ERROR")
    assert [link.context.span_id for link in span.links] == [span.context.span_id]
    child = spans.of(SpanRecord("plan", Kind.INTERNAL, CONTEXT, "0000000000000007", 1, 2, {}, remote=True))
    assert (child.parent.span_id, child.parent.is_remote, child.context.trace_state.to_header()) == (7, True, "a=1")
    assert (child.context.trace_id, child.status.status_code.name) == (span.context.trace_id, "UNSET")


async def test_spans_arrive_with_the_headers_of_the_configuration() -> None:
    async with collecting() as collector:
        told = Told()
        exporter = OtlpExporter(Traces(endpoint=collector.url, headers={"x-key": "k"}, service_name="mine"), told.count)
        exporter.add([ROOT])
        await exporter.close()
    assert [span.name for span in collector.spans] == ["POST"]
    assert (collector.heads[0]["x-key"], collector.resources[0]["service.name"]) == ("k", "mine")
    assert told.counts == {"exported": 1}


async def test_what_a_collector_refuses_is_counted() -> None:
    async with collecting() as collector:
        collector.status = 400
        told = Told()
        exporter = OtlpExporter(Traces(endpoint=collector.url), told.count)
        exporter.add([ROOT, ROOT])
        await exporter.close()
    assert told.counts == {"failed": 2}


async def test_what_finds_no_room_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "QUEUE", 3)
    monkeypatch.setattr(OtlpExporter, "_run", lambda _: None)
    told = Told()
    exporter = OtlpExporter(Traces(endpoint="http://127.0.0.1:9"), told.count)
    exporter.add([ROOT, ROOT])
    exporter.add([ROOT, ROOT])
    assert told.counts == {"dropped": 2}
    await exporter.close()
    assert told.counts == {"dropped": 4}


async def test_a_defect_of_the_library_does_not_end_the_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def export(self, spans: Any) -> Any:
            raise RuntimeError(spans)

        def shutdown(self) -> None:
            """Nothing to close."""

    monkeypatch.setattr(otlp, "_exporter", lambda _: Odd())
    monkeypatch.setattr(otlp, "BATCH", 1)
    told = Told()
    exporter = OtlpExporter(Traces(endpoint="http://127.0.0.1:9"), told.count)
    exporter.add([ROOT, ROOT])
    await exporter.close()
    assert told.counts == {"failed": 2}
    assert "spans could not be exported" in caplog.text


def test_one_complaint_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((0.0, 1.0, 59.0, 60.0, 61.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    quiet, record = Quiet(), logging.LogRecord("x", logging.ERROR, "f", 1, "down", None, None)
    assert [quiet.filter(record) for _ in range(5)] == [True, False, False, True, False]


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry"])
def test_the_extra_is_named_when_it_is_missing(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_extra() is None
    real = importlib.util.find_spec

    def find(name: str) -> object:
        if name.startswith(missing):
            if missing == "opentelemetry":
                raise ModuleNotFoundError(name)
            return None
        return real(name)

    monkeypatch.setattr(otlp, "find_spec", find)
    assert missing_extra() == "otel"
