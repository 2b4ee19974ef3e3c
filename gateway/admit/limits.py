"""P: what a verdict of the quota store means for the client: what is left, and the refusal in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import (
    concurrency_limit_exceeded,
    request_limit_exceeded,
    service_unavailable,
    token_limit_exceeded,
)
from gateway.vocabulary import Remaining

if TYPE_CHECKING:
    from gateway.errors import GatewayError
    from gateway.ports import Usage, Verdict
    from gateway.vocabulary import Limits


def remaining(usage: Usage, limits: Limits) -> Remaining:
    """What the windows still hold; never negative, although late charges may pass a limit."""
    return Remaining(requests=_left(limits.requests, usage.requests), tokens=_left(limits.tokens, usage.tokens))


def refusal(verdict: Verdict, limits: Limits, tokens: int = 0) -> GatewayError:
    """The failure for a verdict that did not admit `tokens`, with what remains.

    A lease that ended meanwhile (`settled`) means that this request was given up already; the client may try again.
    """
    usage, wait = verdict.usage, verdict.retry_after
    match verdict.refused_by:
        case "requests":
            error = request_limit_exceeded(usage.requests, limits.requests or 0, wait)
        case "tokens":
            error = token_limit_exceeded(usage.tokens, limits.tokens or 0, wait, tokens)
        case "concurrency":
            error = concurrency_limit_exceeded(usage.slots, limits.concurrency or 0, wait)
        case _:
            error = service_unavailable()
    error.remaining = remaining(usage, limits)
    return error


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)
