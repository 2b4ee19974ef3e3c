"""P: backends to ask, and an observer to tell."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.errors import GatewayError
    from gateway.vocabulary import Facts, Lane, Stage


@value(frozen=True, slots=True)
class Exchange:
    """One outgoing HTTP request as bytes; `path` is appended to the backend's URL."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@value(frozen=True, slots=True)
class RawReply:
    """One HTTP answer as bytes; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends an exchange to a configured backend."""

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        """The reply, whatever its status. Raises TransportError when there is none within the time."""
        ...


class Observer(Protocol):
    """Turns facts into metrics, logs and spans."""

    def request(self, facts: Facts, seconds: float, error: GatewayError | None) -> None:
        """A request ended."""
        ...

    def stage(self, stage: Stage, seconds: float) -> None:
        """A stage ended."""
        ...

    def upstream_call(self, backend: str, endpoint: str, outcome: str, seconds: float, tokens: int) -> None:
        """An outgoing call ended; `outcome` is one of backends.OutcomeKind or `unreachable`, `timeout`."""
        ...

    def upstream_queued(self, backend: str, lane: Lane, seconds: float, length: int) -> None:
        """A call left the queue of a backend, to be sent or not; `length` is how many wait there now."""
        ...

    def upstream_health(self, backend: str, model: str, state: str) -> None:
        """A backend is `closed` (well), `open`, `half_open`, `ejected` or `drifted` for a model from now on.

        What drifts is a revision, which is what `model` is then.
        """
        ...

    def upstream_drifted(self, backend: str, revision: str, reason: str, *, guessed: bool) -> None:
        """A canary found a backend odd (all of them, where it is empty); `guessed`: as many said the contrary."""
        ...

    def upstream_misfit(self, backend: str) -> None:
        """A backend refused our key, our address or its model: somebody has to see to the configuration."""
        ...

    def upstream_hedged(self, backend: str) -> None:
        """A call that took long was sent to this backend, too."""
        ...

    def upstream_paused(self, backend: str) -> None:
        """A backend refused a call for its rate, and its key rests."""
        ...

    def store_failure(self, role: str) -> None:
        """The `quota`, `cache`, `ledger`, `notices` or `pauses` store failed to answer."""
        ...

    def unjournaled(self) -> None:
        """A request is counted in memory alone: if this process dies before the store is back, the row is lost."""
        ...

    def shadowed(self, scope: str) -> None:
        """A meter in shadow mode would have refused a request; `scope` is one of vocabulary.Scope."""
        ...

    def threshold(self, tenant: str, meter: str, share: str) -> None:
        """A tenant used that share of a budget or its balance; told once by whoever noticed first."""
        ...

    def notice(self, outcome: str) -> None:
        """A notice to the operator was `delivered`, will be `retried`, or is `dead`."""
        ...

    def job_notice(self, outcome: str) -> None:
        """The same of one to a client about its job."""
        ...

    def degraded(self, decision: str) -> None:
        """A request was `admitted` or `refused` without the store."""
        ...
