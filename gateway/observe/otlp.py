"""E: spans to an OpenTelemetry collector over OTLP/HTTP, by a thread of its own; needs the extra `otel`."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gateway.observe.otel_spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.config.traces import Traces
    from gateway.observe.spans import SpanRecord

_log = logging.getLogger(__name__)

EXTRA = "otel"
QUEUE = 8_192
"""Spans that wait at most: some 6 MB. What comes while it is full is dropped."""

BATCH = 512
INTERVAL_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
"""For one export, with the tries that the exporter makes of its own."""

_CLOSING_SECONDS = 1.5
_QUIET_SECONDS = 60.0


def missing_extra() -> str | None:
    """The extra that must be installed before anything can be exported, None when it is there."""
    try:
        there = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        there = False
    return None if there and find_spec("opentelemetry.sdk") is not None else EXTRA


class OtlpExporter:
    """observe.tracing.Exporter. `count` is told how many spans were `exported`, `failed` or `dropped`.

    The loop only appends to a bounded queue; conversion, encoding and the network are the thread's. A collector that is
    slow or dead costs spans, never a request.
    """

    def __init__(self, settings: Traces, count: Callable[[str, int], None]) -> None:
        self._count = count
        self._queue: deque[SpanRecord] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._settings = settings
        self._thread = threading.Thread(target=self._run, name="trace export", daemon=True)
        self._thread.start()

    def add(self, spans: Sequence[SpanRecord]) -> None:
        """Put them into the queue, or count them as dropped: all of one call or none."""
        if len(self._queue) + len(spans) > QUEUE:
            self._count("dropped", len(spans))
            return
        self._queue.extend(spans)
        if len(self._queue) >= BATCH:
            self._wake.set()

    async def close(self) -> None:
        """Export what is left, for a second and a half at most."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, _CLOSING_SECONDS)
        if left := len(self._queue):
            self._count("dropped", left)

    def _run(self) -> None:
        exporter, spans = _exporter(self._settings), Spans(_resource(self._settings))
        while not (self._closing and not self._queue):
            if not self._closing and len(self._queue) < BATCH:
                self._wake.wait(INTERVAL_SECONDS)
                self._wake.clear()
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            if batch:
                self._count(_export(exporter, spans, batch), len(batch))
        exporter.shutdown()


def _export(exporter: Any, spans: Spans, batch: list[SpanRecord]) -> str:  # noqa: ANN401 - as below
    try:
        done = exporter.export([spans.of(record) for record in batch])
    except Exception:  # noqa: BLE001 - the thread goes on, whatever the library raises
        _log.exception("spans could not be exported")
        return "failed"
    return "exported" if done.name == "SUCCESS" else "failed"


def _exporter(settings: Traces) -> Any:  # noqa: ANN401 - its package is there only with the extra
    # Imported here, by the thread: it takes a third of a second, and only where traces are exported.
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415 - see above

    logging.getLogger(trace_exporter.__name__).addFilter(Quiet())
    return trace_exporter.OTLPSpanExporter(settings.address, headers=dict(settings.headers), timeout=_TIMEOUT_SECONDS)


def _resource(settings: Traces) -> dict[str, str]:
    """Who these spans are from: `OTEL_RESOURCE_ATTRIBUTES` may add to it."""
    return {
        "service.name": settings.service_name,
        "service.version": version("gateway"),
        "service.instance.id": f"{os.uname().nodename}:{os.getpid()}",
    }


class Quiet(logging.Filter):
    """Lets one record a minute through: a collector that is down is told of, not complained about."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -_QUIET_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        """Whether the record is shown."""
        now = time.monotonic()
        shown = now - self._last >= _QUIET_SECONDS
        if shown:
            self._last = now
        return shown
