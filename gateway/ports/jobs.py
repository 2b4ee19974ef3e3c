"""P: batch jobs: what is known of one, where they are kept and handed out, and who hears how they end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.vocabulary import RequestTrace


class State(StrEnum):
    """Where a job is (API contract). The last four are ends; only an ended job can expire."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        """Whether nothing will be sent for it any more."""
        return self not in {State.PENDING, State.PROCESSING}


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asked for; it never changes.

    `created` and `expires` are in seconds since 1970; `options` are task, dimensions and normalized as a JSON object;
    without `input_url` the input is in the job's files. Its calls are those of the key with `key_id`.
    """

    id: str
    tenant: str
    key_id: str
    model: str
    created: int
    expires: int
    options: str = "{}"
    input_url: str = ""
    webhook_url: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Lines that were answered, lines that were refused, and the tokens reported for them."""

    completed: int = 0
    failed: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A job as it is now. `total` lines and the number of `chunks` are None until the input was read."""

    order: Order
    state: State = State.PENDING
    total: int | None = None
    chunks: int | None = None
    tally: Tally = Tally()
    ended: int | None = None
    error: str = ""


class Step(StrEnum):
    """What there is to do for a job: read its input, answer a chunk, tell its end, delete its files."""

    PREPARE = "prepare"
    CHUNK = "chunk"
    TELL = "tell"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Turn:
    """A step that one worker has for the time of a lease; `begun`: it is the first one of its job.

    `token` tells this taking from any later one of the same step.
    """

    batch: Batch
    step: Step
    chunk: int = 0
    begun: bool = False
    token: str = ""


class Jobs(Protocol):
    """The jobs of all gateways on a store. Every method raises StoreError when the store cannot answer."""

    async def create(self, order: Order, total: int | None, most: int) -> bool:
        """Keep a new job, pending; False, and nothing, if its tenant has `most` that have not ended."""
        ...

    async def get(self, name: str) -> Batch | None:
        """The job of that id."""
        ...

    async def newest(self, tenant: str | None, limit: int) -> list[Batch]:
        """Jobs of a tenant, or of all, newest first."""
        ...

    async def end(self, name: str, state: State, error: str = "") -> bool:
        """Cancel a job, or let it fail; False if it has ended before. What is at work may still be marked done."""
        ...

    async def take(self, at_once: int, lease_seconds: float) -> Turn | None:
        """Something to do, of the job that was served longest ago; nobody else is given it for the lease time.

        No job has more than `at_once` turns.
        """
        ...

    async def keep(self, turn: Turn, lease_seconds: float) -> State | None:
        """Hold it for that long from now; the state of its job, None when it is somebody else's or done."""
        ...

    async def put_off(self, turn: Turn, seconds: float) -> None:
        """Give it back, for anybody to take after that; until then it counts among its job's."""
        ...

    async def prepared(self, turn: Turn, chunks: int, total: int) -> State | None:
        """The input is in files; the job's state from now on, failed if there was no line. None: not ours any more."""
        ...

    async def done(self, turn: Turn, tally: Tally) -> State | None:
        """A chunk's results are in files: add them up; the last one ends the job. None: it was marked before."""
        ...

    async def settled(self, turn: Turn) -> None:
        """A job's end was told, or its files are deleted: then it is expired from now on."""
        ...


class JobEvents(Protocol):
    """Hears of batches that ended, for whoever asked to be told."""

    async def posted(self, tenant: str, url: str, event: str, body: bytes) -> None:
        """Keep a message of `event` (`batch.completed`, …) for a tenant's address; raises StoreError if that fails."""
        ...


class JobWatch(Protocol):
    """Turns what happens to jobs into metrics and log lines."""

    def moved(self, order: Order, state: State, error: str = "") -> None:
        """A job is in that state from now on."""
        ...

    def lines(self, tally: Tally) -> None:
        """So many lines more are done."""
        ...

    def trouble(self, order: Order | None, error: Exception) -> None:
        """A step failed for a reason that nobody expected, or the store did not answer; it is tried again."""
        ...

    def trace(self) -> RequestTrace | None:
        """The trace of a call that a job is about to make, where it is to be recorded."""
        ...
