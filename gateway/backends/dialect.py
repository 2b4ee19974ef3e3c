"""P: what a dialect is asked and what it answers; an upstream's statuses become outcomes here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.errors import Code, FieldError
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer, Job, Unit


@dataclass(frozen=True, slots=True)
class Ask:
    """One call to a backend: some units of a job, under the backend's name for the model.

    `credential` is the backend's bearer token.
    """

    job: Job
    units: tuple[Unit, ...]
    model: str
    credential: str | None = field(default=None, repr=False)


class OutcomeKind(StrEnum):
    """What came of a call."""

    ANSWERED = "answered"
    INVALID = "invalid"
    MODEL_NOT_FOUND = "model_not_found"
    BUSY = "busy"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`answers` has one entry a unit when ANSWERED, else is empty and `message` says why, safe for the client.

    `retry_after` is in seconds, where the backend named it; `code` is the API's for a refusal, where it is known.
    """

    kind: OutcomeKind
    answers: tuple[Answer, ...] = ()
    message: str = ""
    retry_after: float | None = None
    errors: tuple[FieldError, ...] = ()
    code: Code | None = None

    @property
    def tokens(self) -> int:
        """What the backend counted for the call."""
        return sum(answer.tokens for answer in self.answers)


class Dialect(Protocol):
    """A wire format. `inputs` and `documents` are how many one call may carry unless the config says otherwise."""

    name: str
    inputs: int
    documents: int

    def encode(self, ask: Ask) -> Exchange:
        """The request for an ask."""
        ...

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """What a reply means. Never raises: whatever cannot be read is GARBAGE."""
        ...
