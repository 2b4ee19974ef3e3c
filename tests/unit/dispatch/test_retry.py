from __future__ import annotations

import pytest

from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.dispatch.retry import delay, failure
from gateway.errors import Code, FieldError, service_timeout
from gateway.vocabulary import Item, Job, Shape

LATE = service_timeout(60)
JOB = Job("rerank", "m", "r", ((Item.text("a"),),), Shape.SCORE, (), None, query="q")

TABLE = [
    (OutcomeKind.INVALID, False, Code.INPUT_INVALID),
    (OutcomeKind.MODEL_NOT_FOUND, False, Code.INPUT_MODEL_NOT_FOUND),
    (OutcomeKind.BUSY, False, Code.SERVICE_UNAVAILABLE),
    (OutcomeKind.REFUSED, False, Code.SERVICE_UNAVAILABLE),
    (OutcomeKind.UNAVAILABLE, True, Code.SERVICE_UNAVAILABLE),
    (OutcomeKind.UNREACHABLE, True, Code.SERVICE_UNAVAILABLE),
    (OutcomeKind.RESET, True, Code.SERVICE_UNAVAILABLE),
    (OutcomeKind.TOO_LARGE, False, Code.INPUT_INVALID),
    (OutcomeKind.TIMEOUT, False, Code.SERVICE_TIMEOUT),
    (OutcomeKind.GARBAGE, False, Code.SERVICE_UNAVAILABLE),
]


@pytest.mark.parametrize(("kind", "again", "code"), TABLE)
def test_the_outcome_table(kind: OutcomeKind, again: bool, code: Code) -> None:  # noqa: FBT001 - a table
    assert (delay(Outcome(kind), 0, 2, 60.0, 0.5) is not None) is again
    assert failure(Outcome(kind), JOB, LATE).code is code


def test_every_outcome_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == set(OutcomeKind) - {OutcomeKind.ANSWERED}


OWN_KEYS = [
    (Code.AUTH_MISSING_API_KEY, Code.AUTH_INVALID_API_KEY),
    (Code.AUTH_INVALID_API_KEY, Code.AUTH_INVALID_API_KEY),
    (Code.AUTH_INVALID_FORMAT, Code.AUTH_INVALID_API_KEY),
    (Code.AUTHZ_INSUFFICIENT_BALANCE, Code.AUTHZ_INSUFFICIENT_BALANCE),
    (Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED, Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED),
    (Code.RESOURCE_NOT_FOUND, Code.SERVICE_UNAVAILABLE),
    (None, Code.SERVICE_UNAVAILABLE),
]


@pytest.mark.parametrize(("upstream", "told"), OWN_KEYS)
def test_what_is_wrong_with_a_key_is_told_to_its_owner_alone(upstream: Code | None, told: Code) -> None:
    outcome = Outcome(OutcomeKind.REFUSED, code=upstream)
    assert failure(outcome, JOB, LATE, of_the_caller=True).code is told
    assert failure(outcome, JOB, LATE).code is Code.SERVICE_UNAVAILABLE


WAITS = [
    (Outcome(OutcomeKind.UNAVAILABLE), 0, 2, 60.0, 0.5, 0.1),
    (Outcome(OutcomeKind.UNAVAILABLE), 1, 2, 60.0, 0.5, 0.2),
    (Outcome(OutcomeKind.UNAVAILABLE), 2, 2, 60.0, 0.5, None),
    (Outcome(OutcomeKind.UNAVAILABLE), 0, 0, 60.0, 0.5, None),
    (Outcome(OutcomeKind.UNAVAILABLE), 0, 2, 0.05, 0.5, None),
    (Outcome(OutcomeKind.UNAVAILABLE, retry_after=2.0), 0, 2, 60.0, 0.5, 2.0),
    (Outcome(OutcomeKind.UNAVAILABLE, retry_after=30.0), 0, 2, 60.0, 0.5, None),
]


@pytest.mark.parametrize(("outcome", "attempt", "retries", "remaining", "chance", "expected"), WAITS)
def test_waits_double_and_never_pass_the_deadline(  # noqa: PLR0913, PLR0917 - a table's columns
    outcome: Outcome, attempt: int, retries: int, remaining: float, chance: float, expected: float | None
) -> None:
    assert delay(outcome, attempt, retries, remaining, chance) == pytest.approx(expected)


def test_a_refused_input_keeps_the_backends_words_and_fields() -> None:
    errors = (FieldError("body -> input", "too long", "value_error"),)
    error = failure(Outcome(OutcomeKind.INVALID, message="too long", errors=errors), JOB, LATE)
    assert error.message == "too long"
    assert error.errors == errors


def test_a_refused_input_without_fields_names_the_list_it_was_in() -> None:
    error = failure(Outcome(OutcomeKind.INVALID, message="too long"), JOB, LATE)
    assert error.errors == (FieldError("body -> m -> documents", "too long", "value_error"),)


def test_a_refusal_of_our_credentials_says_nothing_of_them() -> None:
    error = failure(Outcome(OutcomeKind.REFUSED, message="key jina_x is out of balance"), JOB, LATE)
    assert "jina_x" not in error.message
