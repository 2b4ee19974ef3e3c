"""P: an exporter of spans (gateway.observe.tracing.Exporter) that keeps them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from fakes.clock import FakeClock
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.observe.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.traces import Traces
    from gateway.observe.spans import SpanRecord

NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
EPOCH = 1_700_000_000_000_000_000


class Kept:
    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self.closed = False

    def add(self, spans: Sequence[SpanRecord]) -> None:
        self.spans += spans

    async def close(self) -> None:
        self.closed = True


def tracing_of(settings: Traces, exporter: Kept | None, clock: FakeClock | None = None) -> Tracing:
    """Tracing whose ids count from 1, and that begins all traces at EPOCH."""
    numbers = count(1)
    clock = clock or FakeClock()
    return Tracing(settings, exporter, clock, wall=lambda: EPOCH, bits=lambda _: next(numbers))
