"""E: one line a request: which requests are logged, and what the line says; never an input, never a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.schema import Observe
    from gateway.errors import GatewayError
    from gateway.ports import Clock
    from gateway.vocabulary import Facts, Stage

_SERVER_ERROR = 500
REFUSALS_A_SECOND = 50
"""Lines about what clients did wrong that one worker writes in a second: a flood of refusals is not to fill a disk.
What was left out is told by the next line, as `suppressed`."""


class RequestLog:
    """Successes by a sample; what was slow, and every failure, always."""

    def __init__(self, settings: Observe, clock: Clock) -> None:
        self._sample = settings.log_sample
        self._slow = settings.log_slow
        self._clock = clock
        self._log = structlog.get_logger("gateway")
        self._second = 0.0
        self._refusals = 0
        self._suppressed = 0

    def request(self, facts: Facts, seconds: float, error: GatewayError | None, status: int) -> None:
        """Log the request if it is one of those."""
        if status >= _SERVER_ERROR:
            self._line(facts, seconds, error, status)
        elif error is not None and seconds < self._slow:
            self._refused(facts, seconds, error, status)
        elif self.wanted(seconds):
            self._line(facts, seconds, error, status)

    def wanted(self, seconds: float) -> bool:
        """Whether a successful request that took so long is to be logged."""
        return seconds >= self._slow or (self._sample > 0 and self._clock.random() < self._sample)

    def line(self, facts: Facts, seconds: float) -> None:
        """Log a successful request."""
        self._line(facts, seconds, None, 200)

    def _refused(self, facts: Facts, seconds: float, error: GatewayError, status: int) -> None:
        now = self._clock.monotonic()
        if now - self._second >= 1.0:
            self._second, self._refusals = now, 0
        if self._refusals < REFUSALS_A_SECOND:
            self._refusals += 1
            self._line(facts, seconds, error, status)
        else:
            self._suppressed += 1

    def _line(self, facts: Facts, seconds: float, error: GatewayError | None, status: int) -> None:
        write = self._log.error if status >= _SERVER_ERROR else self._log.info
        told: dict[str, object] = {} if facts.trace is None else {"trace_id": facts.trace.context.trace_id}
        if self._suppressed:
            told["suppressed"], self._suppressed = self._suppressed, 0
        write(
            "request",
            request_id=facts.request_id,
            endpoint=facts.endpoint,
            status=status,
            code=error.code.value if error else "OK",
            model=facts.model,
            tenant=facts.tenant,
            key=facts.key_id,
            items=facts.items,
            hits=facts.hits,
            misses=facts.misses,
            tokens=facts.reported_tokens,
            upstream_tokens=facts.upstream_tokens,
            milliseconds=round(seconds * 1000, 3),
            stages=_milliseconds(facts.stages),
            **told,
        )


def _milliseconds(stages: Sequence[tuple[Stage, float]]) -> dict[str, float]:
    """What each stage took in all: admission is at the door, and again once it is known what is missing."""
    spent: dict[str, float] = {}
    for stage, seconds in stages:
        spent[stage.value] = spent.get(stage.value, 0.0) + seconds * 1_000
    return {stage: round(milliseconds, 3) for stage, milliseconds in spent.items()}
