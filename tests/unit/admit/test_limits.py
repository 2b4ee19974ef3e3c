from __future__ import annotations

import pytest

from gateway.admit.limits import refusal, remaining
from gateway.errors import Code
from gateway.ports import Usage, Verdict
from gateway.vocabulary import Limits, Remaining

LIMITS = Limits(requests=100, tokens=1_000_000, concurrency=2)


@pytest.mark.parametrize(
    ("usage", "limits", "left"),
    [
        (Usage(1, 10, 1), LIMITS, Remaining(99, 999_990)),
        (Usage(100, 1_000_001, 1), LIMITS, Remaining(0, 0)),
        (Usage(5, 5, 5), Limits(None, None, None), Remaining(None, None)),
    ],
)
def test_what_is_left_is_never_negative(usage: Usage, limits: Limits, left: Remaining) -> None:
    assert remaining(usage, limits) == left


@pytest.mark.parametrize(
    ("reason", "code", "message"),
    [
        ("requests", Code.RATE_REQUEST_LIMIT_EXCEEDED, "Request rate limit exceeded: 100/100 requests per minute"),
        ("tokens", Code.RATE_TOKEN_LIMIT_EXCEEDED, "Token rate limit exceeded: 999,999/1,000,000 tokens per minute"),
        ("concurrency", Code.RATE_CONCURRENCY_LIMIT_EXCEEDED, "Concurrency limit exceeded: 2/2 concurrent requests"),
    ],
)
def test_a_refusal_says_current_limit_and_when(reason: str, code: Code, message: str) -> None:
    error = refusal(Verdict(Usage(100, 999_999, 2), reason, 12.5), LIMITS)
    assert (error.code, error.message, error.retry_after) == (code, message, 12.5)
    assert error.remaining == Remaining(0, 1)


def test_a_lease_that_ended_meanwhile_may_be_tried_again() -> None:
    error = refusal(Verdict(Usage(0, 0, 0), "settled"), LIMITS)
    assert error.code is Code.SERVICE_UNAVAILABLE
    assert error.retryable


def test_a_call_that_can_never_fit_is_told_so() -> None:
    error = refusal(Verdict(Usage(0, 0, 0), "tokens", 60.0), Limits(1, 200, 1), tokens=482)
    assert error.message.startswith("Token rate limit exceeded: 0/200 tokens per minute")
    assert "482" in error.message
