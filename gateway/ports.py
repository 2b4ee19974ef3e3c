"""P: what the stages need from outside, written by those who use it; each port has one suite in tests/contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.errors import GatewayError
    from gateway.vocabulary import Account, Answer, Batch, Facts, ItemKey, Lane, Limits, Meter, Stage, Tally


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


class Amounts(NamedTuple):
    """Of a meter's three limits: requests, tokens (or nano-dollars), slots of concurrency."""

    requests: int = 0
    tokens: int = 0
    slots: int = 0


NOTHING = Amounts()


class Spend(NamedTuple):
    """What was spent in one second (since 1970, by the store's clock or a little later)."""

    second: int
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a holder tells the store of a meter, and what it needs.

    `number` counts a holder's statements from 1; the same number again gets the same grant (idempotent). What is held
    counts as used until it is `released`; `spent` are seconds to charge instead. `idle` is held and not in use, so
    that it can be called back. `needed` is what waits, `least` the least that helps anybody, `wanted` what would be
    taken at most. `restored` is what was held, when the store has lost it: then `spent` is the whole last window.
    """

    meter: Meter
    holder: str
    number: int
    released: Amounts = NOTHING
    spent: tuple[Spend, ...] = ()
    idle: Amounts = NOTHING
    least: Amounts = NOTHING
    needed: Amounts = NOTHING
    wanted: Amounts = NOTHING
    restored: Amounts | None = None
    holders: int = 1
    leaves: bool = False


class Outcome(StrEnum):
    """What became of a statement.

    TOLD: done. LOST: the store knows nothing of this holder any more; it is to tell all again. WAIT: others may give
    something back, or may know more than the store; ask again.
    """

    TOLD = "told"
    LOST = "lost"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Grant:
    """The store's answer to a statement.

    `used` is spent in the window that ends now (60 s, to one bucket) or held and in use. `short_of` is `requests`,
    `concurrency` or `tokens` when not even the least could be granted; `retry_after` is then in seconds, honest to one
    bucket (None: it does not age). `called_back`: idle amounts are wanted by others. `now` is the store's time in
    seconds.
    """

    outcome: Outcome
    granted: Amounts
    used: Amounts
    short_of: str | None
    retry_after: float | None
    called_back: bool
    now: float


class Census(NamedTuple):
    """The workers on a store: how many, which of them this is (from 0), and the server's run id ('' unknown)."""

    workers: int
    rank: int
    run: str


class QuotaStore(Protocol):
    """Windows and what workers hold of them. Every method raises StoreError when the store cannot answer."""

    async def exchange(self, statement: Statement, run: str = "") -> Grant:
        """Charge what was spent, take back what is released, and grant what the limits allow.

        `run` is the server's run id as the worker knows it: a store that has forgotten everything then grants nothing
        for a moment, until all workers have told it what they know.
        """
        ...

    async def register(self, worker: str, seconds: float) -> Census:
        """This worker lives, and counts as one for `seconds`."""
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


class Ledger(Protocol):
    """What was used and what it cost, by the hour. Every method raises StoreError when the store cannot answer."""

    async def add(self, batch: Batch, settled: int) -> bool:
        """Add a batch's tallies unless that was done before; whether anything was added now.

        `settled`: of the same writer, every batch up to this one was added for good. A batch that failed half way may
        be sent again.
        """
        ...

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        """A tenant's rows of the hours from `since` up to, not including, `until`; in no order."""
        ...

    async def lifetime(self, tenant: str) -> Tally:
        """Everything that a tenant was ever counted, in hours that are gone, too."""
        ...

    async def tenants(self) -> list[str]:
        """Every tenant that was ever counted, sorted."""
        ...


class Orphan(Protocol):
    """The journal of a process that died. It is this process's until `drop` or `leave`."""

    batches: Sequence[Batch]

    async def drop(self) -> None:
        """Everything in it is in the ledger."""
        ...

    def leave(self) -> None:
        """Give it back, for another process to adopt."""
        ...


class Journal(Protocol):
    """What this process counted and the ledger may not have yet, where the death of the process does not take it.

    Entries belong to the batch that the next `cut` ends. Batches are numbered from 1.
    """

    writer: str

    def append(self, account: Account, tally: Tally) -> bool:
        """Keep an entry; False when there is no room before a `cut` and an `extend`."""
        ...

    def cut(self) -> int:
        """End a batch; its sequence number."""
        ...

    def extend(self) -> bool:
        """Make room after a `cut`; False when the journal has its full size or the disk refuses."""
        ...

    async def release(self, sequence: int) -> None:
        """The batches up to this one are in the ledger for good."""
        ...

    async def orphans(self) -> Sequence[Orphan]:
        """Journals whose processes have died, and that nobody else adopts now."""
        ...

    async def close(self) -> None:
        """Leave what is not released for another process to adopt."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """The answer to one draw on an upstream key's allowance.

    `wait` is 0 when the draw was granted, else the seconds after which it may be: exact for the windows, a guess for a
    slot. `paused` says that the upstream itself demanded the wait. `stamp` and `tokens` are what `settle` needs.
    """

    wait: float = 0.0
    paused: bool = False
    stamp: int | None = None
    tokens: int = 0


class Allowances(Protocol):
    """What an upstream allows each of our keys, shared by all workers and gateways that use the key.

    A call counts from when it was drawn until 60 s after it was settled, since the upstream saw it in between: so
    the upstream's own window never holds more than its limit, however long calls take on their way. Every method
    raises StoreError when the store cannot answer.
    """

    async def take(self, name: str, lease: str, tokens: int, limits: Limits) -> Allowance:
        """Draw one call, its tokens and one slot if all of `limits` leave room and there is no pause, else nothing."""
        ...

    async def settle(self, name: str, lease: str, allowance: Allowance, requests: int, tokens: int) -> None:
        """End a call: free its slot, and count what was really used, now, instead of what was drawn. Ask once."""
        ...

    async def renew(self, name: str, leases: Sequence[str]) -> None:
        """Heartbeat: the calls that still hold a slot keep it for another lease time."""
        ...

    async def pause(self, name: str, seconds: float) -> None:
        """Grant nobody anything for that long; a pause that ends later stays."""
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

    def upstream_queued(self, backend: str, lane: Lane, seconds: float, length: int) -> None:
        """A call left the queue of a backend, to be sent or not; `length` is how many wait there now."""
        ...

    def upstream_paused(self, backend: str) -> None:
        """A backend refused a call for its rate, and its key rests."""
        ...

    def store_failure(self, role: str) -> None:
        """The `quota`, `cache`, `ledger` or `allowance` store failed to answer."""
        ...

    def unjournaled(self) -> None:
        """A request is counted in memory alone: if this process dies before the store is back, the row is lost."""
        ...

    def shadowed(self, scope: str) -> None:
        """A meter in shadow mode would have refused a request; `scope` is one of vocabulary.Scope."""
        ...

    def degraded(self, decision: str) -> None:
        """A request was `admitted` or `refused` without the store."""
        ...
