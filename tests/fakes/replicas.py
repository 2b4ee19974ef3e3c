"""P: backends of the Jina dialect that do what a script says, as a transport on a virtual clock; they remember."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import TransportError
from gateway.ports import RawReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from fakes.clock import FakeClock

    from gateway.ports import Exchange

Fault = RawReply | TransportError

OVERHEAD = 3
"""Tokens that a backend counts for a call on top of its inputs, so that shares are no mere counts of words."""


def status(code: int, retry_after: int | None = None, detail: str = "no") -> RawReply:
    """An answer that is a failure."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return RawReply(code, headers, orjson.dumps({"detail": detail}))


def unreachable() -> TransportError:
    return TransportError("scripted", sent=False)


def reset() -> TransportError:
    return TransportError("scripted")


@dataclass
class Sent:
    """One call as a backend saw it. `ended`: answered, faulty, timeout or cut_off; None while it runs."""

    backend: str
    at: float
    body: dict[str, Any]
    ended: str | None = None
    total: int = 0

    @property
    def inputs(self) -> list[str]:
        return list(self.body["input"])


@dataclass
class Script:
    """What one backend does: each call takes `seconds()`; `faults` come first, then `always`; `bad` inputs are 422."""

    seconds: Callable[[], float] = lambda: 0.02
    faults: deque[Fault | None] = field(default_factory=deque)
    always: Callable[[], Fault | None] = lambda: None


@dataclass
class Replicas:
    """ports.Transport: several backends. A list with an input that starts with `bad` is refused as a whole."""

    clock: FakeClock
    scripts: dict[str, Script] = field(default_factory=lambda: defaultdict(Script))
    calls: list[Sent] = field(default_factory=list)

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        script = self.scripts[backend]
        sent = Sent(backend, self.clock.now, orjson.loads(exchange.body))
        self.calls.append(sent)
        fault = script.faults.popleft() if script.faults else script.always()
        seconds = script.seconds()
        try:
            await self.clock.sleep(min(seconds, timeout_seconds))
        except asyncio.CancelledError:
            sent.ended = "cut_off"
            raise
        if seconds > timeout_seconds:
            sent.ended = "timeout"
            raise TransportError("scripted", timed_out=True)
        if fault is None and any(text.startswith("bad") for text in sent.inputs):
            fault = status(422)
        if fault is None:
            sent.ended = "answered"
            sent.total = total(sent.inputs)
            return answer(sent.body, sent.total)
        sent.ended = "faulty"
        if isinstance(fault, TransportError):
            raise fault
        return fault

    def to(self, backend: str) -> list[Sent]:
        return [call for call in self.calls if call.backend == backend]

    @property
    def answered(self) -> list[Sent]:
        return [call for call in self.calls if call.ended == "answered"]


def total(inputs: list[str]) -> int:
    """What a call costs: words, and the overhead of a call."""
    return OVERHEAD + sum(len(text.split()) for text in inputs)


def space(body: dict[str, Any]) -> dict[str, Any]:
    """What a vector depends on beside its input."""
    return {name: value for name, value in body.items() if name not in {"input", "embedding_type"}}


def vector(text: str, of: dict[str, Any]) -> list[float]:
    """Four numbers that depend on everything that may matter."""
    seed = hashlib.blake2b(orjson.dumps([text, of], option=orjson.OPT_SORT_KEYS), digest_size=4).digest()
    return [float(byte) + 1.0 for byte in seed]


def answer(body: dict[str, Any], tokens: int) -> RawReply:
    data = [{"index": at, "embedding": vector(text, space(body))} for at, text in enumerate(body["input"])]
    usage = {"total_tokens": tokens}
    return RawReply(200, {}, orjson.dumps({"model": body["model"], "data": data, "usage": usage}))
