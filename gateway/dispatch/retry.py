"""P: the outcome table: which outcomes are worth another try, when, and what the client is told in the end."""

from __future__ import annotations

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

_WORTH_ANOTHER = frozenset({OutcomeKind.UNAVAILABLE, OutcomeKind.UNREACHABLE, OutcomeKind.RESET})
"""Not TIMEOUT: a call that ran out of time may have been paid for, and would be paid for again. Not BUSY: the shaper
sends it again when the backend's pause is over, however often that takes."""


def delay(outcome: Outcome, attempt: int, retries: int, remaining: float, chance: float) -> float | None:
    """Seconds to wait before the next try, or None to give up.

    `attempt` counts from 0; `remaining` is the time left in seconds; `chance` in [0, 1) spreads the waits.
    """
    if outcome.kind not in _WORTH_ANOTHER or attempt >= retries:
        return None
    wait: float = FIRST_DELAY_SECONDS * 2**attempt * (0.5 + chance)
    if outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    return wait if wait <= min(LONGEST_WAIT_SECONDS, remaining) else None


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
            return GatewayError(Code.INPUT_INVALID, detail, errors=errors)
        case OutcomeKind.MODEL_NOT_FOUND:
            return model_not_found(job.model)
        case OutcomeKind.TIMEOUT:
            return timeout_error
        case _:
            return service_unavailable(_SENTENCES[outcome.kind], outcome.retry_after or 1.0)
