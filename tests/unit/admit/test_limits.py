from __future__ import annotations

import pytest

from gateway.admit.limits import refusal, remaining
from gateway.errors import Code
from gateway.ports import Amounts, Grant, Outcome
from gateway.vocabulary import Limits, Meter, Remaining, Scope

LIMITS = Limits(requests=100, tokens=1_000_000, concurrency=2)
METER = Meter("t", Scope.TENANT, LIMITS)


def short(of: str | None, wait: float | None = 12.5, used: Amounts = Amounts(100, 999_999, 2)) -> Grant:  # noqa: B008 - immutable
    return Grant(Outcome.TOLD, Amounts(), used, of, wait, called_back=False, now=0.0)


@pytest.mark.parametrize(
    ("used", "limits", "left"),
    [
        (Amounts(1, 10, 1), LIMITS, Remaining(99, 999_990)),
        (Amounts(100, 1_000_001, 1), LIMITS, Remaining(0, 0)),
        (Amounts(5, 5, 5), Limits(None, None, None), Remaining(None, None)),
    ],
)
def test_what_is_left_is_never_negative(used: Amounts, limits: Limits, left: Remaining) -> None:
    assert remaining(used, limits) == left


@pytest.mark.parametrize(
    ("reason", "scope", "code", "message"),
    [
        (
            "requests",
            Scope.TENANT,
            Code.RATE_REQUEST_LIMIT_EXCEEDED,
            "Request rate limit exceeded: 100/100 requests per minute",
        ),
        (
            "tokens",
            Scope.KEY,
            Code.RATE_TOKEN_LIMIT_EXCEEDED,
            "Token rate limit exceeded: 999,999/1,000,000 tokens per minute",
        ),
        (
            "concurrency",
            Scope.MODEL,
            Code.RATE_CONCURRENCY_LIMIT_EXCEEDED,
            "Concurrency limit exceeded: 2/2 concurrent requests",
        ),
        ("requests", Scope.ADDRESS, Code.RATE_IP_LIMIT_EXCEEDED, "IP rate limit exceeded"),
    ],
)
def test_a_refusal_says_current_limit_and_when(reason: str, scope: Scope, code: Code, message: str) -> None:
    error = refusal(Meter("t", scope, LIMITS), short(reason))
    assert (error.code, error.message, error.retry_after) == (code, message, 12.5)


def test_a_budget_that_is_spent_is_no_rate() -> None:
    error = refusal(Meter("t", Scope.BUDGET, LIMITS, period=0), short("tokens", None))
    assert (error.code, error.retry_after) == (Code.AUTHZ_INSUFFICIENT_BALANCE, None)


@pytest.mark.parametrize("grant", [None, short(None)])
def test_a_store_that_is_away_may_be_tried_again(grant: Grant | None) -> None:
    error = refusal(METER, grant)
    assert error.code is Code.SERVICE_UNAVAILABLE
    assert error.retryable


def test_a_call_that_can_never_fit_is_told_so() -> None:
    error = refusal(Meter("t", Scope.TENANT, Limits(1, 200, 1)), short("tokens", 60.0, Amounts()), tokens=482)
    assert error.message.startswith("Token rate limit exceeded: 0/200 tokens per minute")
    assert "482" in error.message
