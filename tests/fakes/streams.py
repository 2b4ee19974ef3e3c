"""P: answers that are read as they come (ports.StreamingTransport), scripted, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gateway.dispatch.opener import Opener
from gateway.errors import TransportError
from gateway.plan.pages import Pages
from gateway.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fakes.clock import FakeClock
    from fakes.gateway import Gateway

    from gateway.ports import Exchange

Step: TypeAlias = bytes | float | asyncio.Event | TransportError


@dataclass
class FakeStream:
    """One answer: bytes come at once, a number is seconds of silence, an event is waited for, an error breaks off."""

    clock: FakeClock
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    steps: Sequence[Step] = ()
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def closed(self) -> bool:
        return self.gone.is_set()

    def __post_init__(self) -> None:
        self.left: deque[Step] = deque(self.steps)

    async def read(self, timeout_seconds: float) -> bytes:
        assert timeout_seconds > 0
        while self.left:
            match self.left.popleft():
                case bytes() as piece:
                    return piece
                case TransportError() as error:
                    raise error
                case asyncio.Event() as gate:
                    await gate.wait()
                case seconds if seconds >= timeout_seconds:
                    await self.clock.sleep(timeout_seconds)
                    raise TransportError("late", timed_out=True)
                case seconds:
                    await self.clock.sleep(seconds)
        return b""

    def close(self) -> None:
        self.gone.set()


@dataclass
class FakeStreams:
    """What is opened next, in order; and what was asked, of which address."""

    answers: deque[FakeStream | TransportError] = field(default_factory=deque)
    asked: list[tuple[str, Exchange]] = field(default_factory=list)

    async def open(self, base: str, exchange: Exchange, timeout_seconds: float) -> FakeStream:
        assert timeout_seconds > 0
        self.asked.append((base, exchange))
        answer = self.answers.popleft()
        if isinstance(answer, TransportError):
            raise answer
        return answer


@dataclass
class FakeClient:
    """relay.Client that remembers; `gone` makes it one that has hung up."""

    written: list[bytes] = field(default_factory=list)
    begun: Mapping[str, str] | None = None
    gone: bool = False

    async def begin(self, headers: Mapping[str, str]) -> None:
        self.begun = headers

    async def write(self, piece: bytes) -> None:
        if self.gone:
            raise ConnectionResetError
        self.written.append(piece)


def relay_of(gateway: Gateway, streams: FakeStreams) -> Relay:
    """The second path of a gateway on fakes."""
    observer = gateway.observer or gateway.seen
    return Relay(
        pipeline=gateway.pipeline,
        admission=gateway.admission,
        budgets=gateway.budgets,
        estimator=gateway.estimator,
        opener=Opener(streams, gateway.clock, observer, gateway.shaper, gateway.fleet),
        pages=Pages(gateway.answers, gateway.clock),
        count=gateway.count,
    )
