"""P: the outcome table: for each outcome of a call whether it is worth another try, who is to blame, what clients see.

What holds, and is tested in tests/unit/dispatch/test_retry.py (docs/fan-out.md shows the table itself):

1. Nothing is tried again at or after its deadline, more than `retries` times, or when the retry budget is spent. Two
   things are free of the budget: a call that was never sent, and one that waits for its next turn at a busy backend.
2. What may have been paid for (TIMEOUT, GARBAGE) is not sent again to where it would be paid again, but for one try
   elsewhere after an answer that is no use.
3. Elsewhere comes before here, and at once. Here is tried after a pause that doubles, half more or less by chance, or
   after the pause that the backend asks for, when that is short.
4. A caller's own key goes nowhere else, and what is wrong with it blames nobody here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.backends.dialect import OutcomeKind
from gateway.errors import (
    Code,
    FieldError,
    GatewayError,
    insufficient_balance,
    invalid_api_key,
    model_not_found,
    resource_limit_exceeded,
    service_unavailable,
)

if TYPE_CHECKING:
    from gateway.backends.dialect import Outcome
    from gateway.vocabulary import Job

FIRST_DELAY_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0
"""A backend that asks for a longer pause is not waited for: the client can plan that wait better than we can."""


class Again(StrEnum):
    """Where a call may be tried again."""

    NEVER = "never"
    ELSEWHERE = "elsewhere"
    IN_TURN = "elsewhere, else here at its next turn"
    DELAYED = "elsewhere, else here after a pause"
    UNBILLED = "elsewhere, unless this try is billed"
    ONCE = "once: elsewhere, else here unless billed"


class Blame(StrEnum):
    """Who is to blame: BACKEND counts in its breaker, SETUP in its ejection (gateway.dispatch.health)."""

    NOBODY = "nobody"
    INPUT = "the input"
    BACKEND = "the backend"
    SETUP = "our setup"


@dataclass(frozen=True, slots=True)
class Row:
    """What an outcome means.

    `code` is the client's when it is given up. `bisect`: one bad item fails a whole list, which is worth cutting.
    `pauses`: the key that was used rests. `alerts`: it is our fault, so somebody must be told. `sent`: the backend may
    have worked on it, so that another try is more load.
    """

    again: Again
    blame: Blame
    code: Code | None
    bisect: bool = False
    pauses: bool = False
    alerts: bool = False
    sent: bool = True


ANSWERED = Row(Again.NEVER, Blame.NOBODY, None)
ROWS = {
    OutcomeKind.ANSWERED: ANSWERED,
    OutcomeKind.INVALID: Row(Again.NEVER, Blame.INPUT, Code.INPUT_INVALID, bisect=True),
    OutcomeKind.TOO_LARGE: Row(Again.NEVER, Blame.INPUT, Code.INPUT_INVALID, bisect=True),
    OutcomeKind.MODEL_NOT_FOUND: Row(Again.ELSEWHERE, Blame.SETUP, Code.INPUT_MODEL_NOT_FOUND, alerts=True),
    OutcomeKind.BUSY: Row(Again.IN_TURN, Blame.NOBODY, Code.SERVICE_UNAVAILABLE, pauses=True),
    OutcomeKind.REFUSED: Row(Again.ELSEWHERE, Blame.SETUP, Code.SERVICE_UNAVAILABLE, alerts=True),
    OutcomeKind.UNAVAILABLE: Row(Again.DELAYED, Blame.BACKEND, Code.SERVICE_UNAVAILABLE),
    OutcomeKind.UNREACHABLE: Row(Again.DELAYED, Blame.BACKEND, Code.SERVICE_UNAVAILABLE, sent=False),
    OutcomeKind.RESET: Row(Again.DELAYED, Blame.BACKEND, Code.SERVICE_UNAVAILABLE),
    OutcomeKind.TIMEOUT: Row(Again.UNBILLED, Blame.BACKEND, Code.SERVICE_TIMEOUT),
    OutcomeKind.GARBAGE: Row(Again.ONCE, Blame.BACKEND, Code.SERVICE_UNAVAILABLE),
}

CALLERS_KEY = {
    OutcomeKind.BUSY: Row(Again.NEVER, Blame.NOBODY, Code.SERVICE_UNAVAILABLE),
    OutcomeKind.REFUSED: Row(Again.NEVER, Blame.NOBODY, Code.SERVICE_UNAVAILABLE),
}
"""The rows that differ where the key is the caller's own. What was refused is told by its own code, where that is
known."""

CUT_SHORT = Row(Again.NEVER, Blame.NOBODY, Code.SERVICE_TIMEOUT)
"""TIMEOUT at the client's deadline, before the backend had the time that it may take: it says nothing about it."""


def row(kind: OutcomeKind, *, of_the_caller: bool = False, cut_short: bool = False) -> Row:
    """The row of an outcome; `of_the_caller`: with its own key; `cut_short`: its deadline left too little time."""
    if kind is OutcomeKind.ANSWERED:
        return ANSWERED
    if kind is OutcomeKind.TIMEOUT and cut_short:
        return CUT_SHORT
    return CALLERS_KEY.get(kind, ROWS[kind]) if of_the_caller else ROWS[kind]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a failure: nothing, or try again in `wait` seconds, `elsewhere` or where it was.

    `counted`: it is an attempt more, and what the retry budget must be charged with.
    """

    again: bool
    wait: float = 0.0
    elsewhere: bool = False
    counted: bool = True


GIVE_UP = Decision(again=False, counted=False)
NEXT_TURN = Decision(again=True, counted=False)


def decide(  # noqa: PLR0913 - the facts that a decision rests on, all by name
    outcome: Outcome,
    *,
    attempt: int,
    retries: int,
    remaining: float,
    chance: float,
    others: bool,
    budget: bool,
    billed: bool,
    of_the_caller: bool = False,
) -> Decision:
    """What to do after `outcome`, which is not ANSWERED.

    `attempt` counts tries from 0, without those for a turn; `remaining` is the time left in seconds; `chance` in
    [0, 1) spreads the waits. `others`: a backend of the same revision that this call has not failed at admits it now.
    `budget`: the retry budget has room. `billed`: the backend that just had the call charges for it.
    """
    found = row(outcome.kind, of_the_caller=of_the_caller)
    if remaining <= 0 or found.again is Again.NEVER:
        return GIVE_UP
    last = NEXT_TURN if found.again is Again.IN_TURN else GIVE_UP
    if attempt >= retries or not (budget or not found.sent) or (found.again is Again.ONCE and attempt > 0):
        return last
    if others and not of_the_caller and not (found.again is Again.UNBILLED and billed):
        return Decision(again=True, elsewhere=True, counted=found.sent)
    if found.again is Again.DELAYED or (found.again is Again.ONCE and not billed):
        wait = _pause(outcome, attempt, chance)
        if wait < remaining and wait <= LONGEST_WAIT_SECONDS:
            return Decision(again=True, wait=wait, counted=found.sent)
    return last


def _pause(outcome: Outcome, attempt: int, chance: float) -> float:
    return max(FIRST_DELAY_SECONDS * 2.0**attempt * (0.5 + chance), outcome.retry_after or 0.0)


_SENTENCES = {
    OutcomeKind.BUSY: "The backend is overloaded",
    OutcomeKind.REFUSED: "The backend refused the gateway's request",
    OutcomeKind.GARBAGE: "The backend's answer was not usable",
    OutcomeKind.UNAVAILABLE: "The backend is not available",
    OutcomeKind.UNREACHABLE: "The backend is not available",
    OutcomeKind.RESET: "The backend broke off",
}

_REFUSALS = {
    Code.AUTH_MISSING_API_KEY: invalid_api_key,
    Code.AUTH_INVALID_API_KEY: invalid_api_key,
    Code.AUTH_INVALID_FORMAT: invalid_api_key,
    Code.AUTHZ_INSUFFICIENT_BALANCE: insufficient_balance,
    Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED: resource_limit_exceeded,
}
"""What is wrong with a key is the client's business only when the key is the client's."""


def failure(outcome: Outcome, job: Job, timeout_error: GatewayError, *, of_the_caller: bool = False) -> GatewayError:
    """What a client is told about an outcome other than ANSWERED; `of_the_caller`: the key was the client's own."""
    match outcome.kind:
        case OutcomeKind.REFUSED if of_the_caller and outcome.code in _REFUSALS:
            return _REFUSALS[outcome.code]()
        case OutcomeKind.INVALID | OutcomeKind.TOO_LARGE:
            detail = outcome.message or "The backend did not accept the input"
            field = f"body -> {job.model} -> {'documents' if job.endpoint == 'rerank' else 'input'}"
            errors = outcome.errors or (FieldError(field, detail, "value_error"),)
            return GatewayError(outcome.code or Code.INPUT_INVALID, detail, errors=errors)
        case OutcomeKind.MODEL_NOT_FOUND:
            return model_not_found(job.model)
        case OutcomeKind.TIMEOUT:
            return timeout_error
        case _:
            return service_unavailable(_SENTENCES[outcome.kind], outcome.retry_after or 1.0)
