"""P: what the stages need from outside, written by those who use it; each port has one suite in tests/contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant
    from gateway.errors import GatewayError
    from gateway.vocabulary import Answer, Facts, ItemKey, Limits, Stage


class Clock(Protocol):
    """Time and chance, read in one place so that simulations can turn them."""

    def monotonic(self) -> float:
        """Seconds that never go back; deadlines are in this time."""
        ...

    def epoch(self) -> int:
        """Whole seconds since 1970."""
        ...

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def identifier(self) -> str:
        """32 hex digits that no other call, in any process, was ever given; not a secret."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """One question to the quota store, answered all-or-nothing.

    `step` names the question within a lease (`door`, `cover`): asking an admitted step again gives its first reply
    (idempotent by lease id); a refusal wrote nothing, so asking again asks anew. Zero amounts only report. `slot` asks
    for one of `limits.concurrency` leases.
    """

    subject: str
    lease: str
    step: str
    limits: Limits
    requests: int = 0
    tokens: int = 0
    slot: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What a subject has used in the window that ends now (the last 60 s, to one bucket) and the slots it holds."""

    requests: int
    tokens: int
    slots: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to an Admission.

    `refused_by` is `requests`, `tokens`, `concurrency`, `settled` (a late question of a lease that has ended) or, when
    admitted, None.
    `retry_after` is in seconds, honest to one bucket: after that long the same question would pass if nobody else
    asked. A refusal has consumed nothing.
    """

    usage: Usage
    refused_by: str | None = None
    retry_after: float = 0.0


class QuotaStore(Protocol):
    """Windows and leases. Every method raises StoreError when the store cannot answer."""

    async def admit(self, admission: Admission) -> Verdict:
        """Take what is asked if every limit allows it, else take nothing."""
        ...

    async def settle(self, subject: str, lease: str, requests: int, tokens: int) -> Usage:
        """End a lease: give its slot back and correct its reservations to what was really used.

        Idempotent by lease id, and final: a late `admit` for a settled lease takes nothing. Corrections go into the
        buckets of the reservation; more than reserved is charged, too.
        """
        ...

    async def renew(self, subject: str, leases: Sequence[str]) -> None:
        """Heartbeat: the leases that still hold a slot keep it for another lease time."""
        ...

    async def hit(self, counter: str, limit: int) -> float | None:
        """Count one event for `counter` (an address that failed to authenticate) in a 60 s window.

        None while at most `limit` happened, else the seconds to wait; a refused event is not counted.
        """
        ...

    async def ping(self) -> None:
        """Return if the store answers."""
        ...


class AnswerStore(Protocol):
    """The cache. A failing cache never fails a request: `get` answers misses, `put` drops; both count it."""

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """The answer for each key, None where there is none or where the stored proof differs from the key's."""
        ...

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """Remember answers for the configured time."""
        ...


class Votes(Protocol):
    """Who has computed what, so that an answer is shared once enough have. A failing store counts nobody."""

    async def cast(self, subjects: Sequence[bytes], voter: bytes) -> list[int]:
        """Count `voter` for each subject, once; how many different voters each has had lately."""
        ...


class Trace(Protocol):
    """Remembers a sample of what the cache was asked."""

    def seen(self, keys: Sequence[ItemKey]) -> None:
        """These were asked for now; nobody waits."""
        ...


class Claims(Protocol):
    """Who computes what, between processes. Every method raises StoreError when the store cannot answer.

    A claim belongs to a token and ends by itself after the configured seconds unless renewed, so that the work of a
    filler that died is taken over.
    """

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        """For each key: the answer if it is stored by now, True if it is ours to compute, False if another's."""
        ...

    async def renew(self, keys: Sequence[ItemKey], token: str) -> None:
        """Keep what is still ours for another claim time."""
        ...

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        """Give back what is still ours, computed or not."""
        ...


@dataclass(frozen=True, slots=True)
class AccountEdit:
    """A record of a tenant or a key that is put in the place of what is there, or taken out (None)."""

    name: str
    kind: Literal["tenant", "key"]
    record: RuntimeTenant | RuntimeKey | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what and when (seconds since 1970); never a key, its digest or a token."""

    at: int
    who: str
    what: str
    target: str
    details: Mapping[str, str] = field(default_factory=dict)


class AccountStore(Protocol):
    """Tenants and keys made at run time. Every method raises StoreError when the store cannot answer."""

    async def version(self) -> str:
        """A word that changes with every change; empty before the first."""
        ...

    async def load(self) -> tuple[str, Accounts]:
        """All records, and a version that is not newer than they are."""
        ...

    async def change(self, version: str, edits: Sequence[AccountEdit], entry: AuditEntry) -> bool:
        """Make all edits and log them if the version is still this one; False, and nothing, if it is another."""
        ...

    async def audit(self, before: str, count: int) -> list[tuple[str, AuditEntry]]:
        """At most `count` entries with their ids, newest first; with an id `before`, those older than that one."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """One outgoing HTTP request as bytes; `path` is appended to the backend's URL."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
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

    def store_failure(self, role: str) -> None:
        """The `quota` or `cache` store failed to answer."""
        ...
