"""P: what a dialect is asked and what it answers; an upstream's statuses become outcomes here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from gateway.values import value

if TYPE_CHECKING:
    from gateway.errors import Code, FieldError
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer, Job, Unit


@value(frozen=True, slots=True)
class Ask:
    """One call to a backend: some units of a job, under the backend's name for the model.

    `credential` is the backend's bearer token. `weights` are the units' tokens by our own count, in proportion to which
    a call's usage is shared out; without them their bytes are.
    """

    job: Job
    units: tuple[Unit, ...]
    model: str
    credential: str | None = field(default=None, repr=False)
    weights: tuple[int, ...] | None = None


class OutcomeKind(StrEnum):
    """What came of a call.

    INVALID: an input is bad (400, 422). TOO_LARGE: the call as a whole is (413). BUSY: its rate is (429).
    REFUSED: our key or address is (401 to 405). UNAVAILABLE: the backend says that it failed (424, 5xx).
    UNREACHABLE: no connection, so nothing was sent. RESET: the connection broke with no answer or half of one.
    GARBAGE: an answer that cannot be believed.
    """

    ANSWERED = "answered"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    MODEL_NOT_FOUND = "model_not_found"
    BUSY = "busy"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TIMEOUT = "timeout"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may carry: inputs of an embeddings call, documents of a rerank, tokens, bytes of the body.

    `each` is tokens of one input, however many there are. `media` is images, or sounds, a call;
    where it is known, calls have one modality. `vectors` is tokens of a call that answers with a vector for each.
    None: no such limit is known.
    """

    inputs: int | None = None
    documents: int | None = None
    tokens: int | None = None
    size: int | None = None
    each: int | None = None
    media: int | None = None
    vectors: int | None = None


@value(frozen=True, slots=True)
class Outcome:
    """`answers` has one entry a unit when ANSWERED, else is empty and `message` says why, safe for the client.

    `retry_after` is in seconds, where the backend named it; `code` is the API's for a refusal, of a key or of what was
    sent, where it is known. `of_key`: the refusal is for the key, so another one may do.
    """

    kind: OutcomeKind
    answers: tuple[Answer, ...] = ()
    message: str = ""
    retry_after: float | None = None
    errors: tuple[FieldError, ...] = ()
    code: Code | None = None
    of_key: bool = False

    @property
    def tokens(self) -> int:
        """What the backend counted for the call."""
        answers = self.answers
        return answers[0].tokens if len(answers) == 1 else sum([answer.tokens for answer in answers])


class Silent:
    """Part of a dialect whose servers have no route that tells their limits."""

    def inquire(self, credential: str | None) -> Exchange | None:
        """Nothing is asked."""
        del credential
        return None

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """Nothing is told."""
        del reply, model
        return CallLimits()


class Dialect(Protocol):
    """A wire format.

    `limits` hold unless the config or the backend itself says otherwise. `health` is the path of a `GET` that costs
    nothing and answers 200 while the backend is well, if there is one.
    """

    name: str
    limits: CallLimits
    health: str | None

    def encode(self, ask: Ask) -> Exchange:
        """The request for an ask."""
        ...

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """What a reply means. Never raises: whatever cannot be read is GARBAGE."""
        ...

    def inquire(self, credential: str | None) -> Exchange | None:
        """A request that costs nothing and asks the backend for its own limits; None where there is no such route."""
        ...

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """What a reply to `inquire` tells about `model`; nothing where it cannot be read. Never raises."""
        ...
