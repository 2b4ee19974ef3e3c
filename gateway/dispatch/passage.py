"""C: what is passed through: what is asked for, and the answer that has begun."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.backends.dialect import OutcomeKind
from gateway.errors import TransportError, service_timeout, service_unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.snapshot import Route
    from gateway.dispatch.order import Order
    from gateway.ports import Clock, Exchange, Stream

SHORTEST = 0.001
"""Seconds of patience at least."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What is asked for, of whom, and what comes back as it is.

    `exchange` makes the base address and the call for a route and a key. `keeps` says which statuses, beside 200, the
    client is to see with their bodies. `tokens` is what the call costs at most. `blamed` is the field that a refusal of
    the input is about.
    """

    order: Order
    tokens: int
    exchange: Callable[[Route, str | None], tuple[str, Exchange]]
    keeps: Callable[[int], bool]
    blamed: str


@dataclass(eq=False, slots=True)
class Flow:
    """An answer that has begun. `tokens` is what the backend has counted for it, as far as is known."""

    status: int
    headers: Mapping[str, str]
    clock: Clock
    order: Order
    stream: Stream
    first: bytes
    idle: float
    tokens: int = 0
    outcome: OutcomeKind = field(default=OutcomeKind.ANSWERED)

    async def read(self) -> bytes:
        """The next bytes, as they came; empty at the end.

        Raises:
            GatewayError: SERVICE_TIMEOUT (nothing came for a while, or the call's time is up), SERVICE_UNAVAILABLE.
        """
        if self.first:
            came, self.first = self.first, b""
            return came
        left = self.order.deadline - self.clock.monotonic()
        try:
            return await self.stream.read(max(SHORTEST, min(self.idle, left)))
        except TransportError as error:
            if not error.timed_out:
                self.outcome = OutcomeKind.RESET
                raise service_unavailable("The backend broke off") from None
            if left <= self.idle:
                raise service_timeout(self.order.timeout) from None
            self.outcome = OutcomeKind.TIMEOUT
            raise service_timeout(self.idle) from None
