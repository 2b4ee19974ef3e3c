"""P: W3C trace context, and what a request tells of itself while somebody traces it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.vocabulary.course import Facts
    from gateway.vocabulary.exchange import Stage

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x20-\x7e]{0,128})?")
_MEMBER = re.compile(
    r"(?:[a-z0-9][a-z0-9_*/@-]{0,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_STATE_BYTES = 512
_STATE_MEMBERS = 32
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace (W3C Trace Context, level 1): ids are 32 and 16 hex digits in lower case, not all zero.

    `state` is other vendors' `tracestate`, handed on as it is, or empty.
    """

    trace_id: str
    span_id: str
    sampled: bool
    state: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a call carries that was made from here."""
        sent = {TRACEPARENT: f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.sampled else 0:02x}"}
        return sent | {TRACESTATE: self.state} if self.state else sent


def context_of(parents: Sequence[str], states: Sequence[str]) -> TraceContext | None:
    """The context in all `traceparent` and all `tracestate` headers of a request; None where there is no usable one.

    What is not understood is dropped and never an error: a trace is no reason to refuse a call.
    """
    found = _PARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not (int(trace_id, 16) and int(span_id, 16)):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), _state(states))


def _state(states: Sequence[str]) -> str:
    """Well-formed members in their order, else nothing at all: a list with a hole may mean something else."""
    members = [member for line in states for part in line.split(",") if (member := part.strip(" \t"))]
    joined = ",".join(members)
    fits = len(members) <= _STATE_MEMBERS and len(joined) <= _STATE_BYTES
    return joined if fits and all(map(_MEMBER.fullmatch, members)) else ""


@dataclass(frozen=True, slots=True)
class Departure:
    """A call that leaves for a backend: `url` is the backend's base address, `model` what it calls the model.

    `tries` came before it for the same inputs, `hedged` says that another one is still running; `items` are its inputs.
    """

    backend: str
    dialect: str
    url: str
    endpoint: str
    model: str
    items: int
    tries: int = 0
    hedged: bool = False


class CallSpan(Protocol):
    """A call on its way, which somebody may record."""

    status: int
    """HTTP status of the reply, 0 until there is one."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the call is to carry: trace context."""
        ...

    def ended(self, outcome: str, tokens: int) -> None:
        """It is over; `outcome` is one of backends.OutcomeKind, or `cancelled`."""
        ...


class RequestTrace(Protocol):
    """One request as a trace sees it. Of a request that nobody traces there is none."""

    @property
    def context(self) -> TraceContext:
        """Where it stands: its own span, or its client's where nothing is recorded."""
        ...

    @property
    def recorded(self) -> bool:
        """Whether it becomes spans; else it is only handed on."""
        ...

    def stage(self, stage: Stage, started: float, seconds: float) -> None:
        """A stage ended, which began at `started` (Clock.monotonic seconds)."""
        ...

    def departs(self, departure: Departure, others: Sequence[RequestTrace]) -> CallSpan:
        """A call leaves for this request, and for `others` that travel with it."""
        ...

    def shares(self, context: TraceContext) -> None:
        """A call for this request belongs to another one's trace, where its span is `context`."""
        ...

    def answered(self, facts: Facts, code: str, status: int) -> None:
        """The request is over; `code` is the contract's, or empty."""
        ...
