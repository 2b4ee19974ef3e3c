"""P: what a refusal means for the client: what is left, and the failure in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import (
    concurrency_limit_exceeded,
    insufficient_balance,
    ip_limit_exceeded,
    request_limit_exceeded,
    service_unavailable,
    token_limit_exceeded,
)
from gateway.vocabulary import Remaining, Scope

if TYPE_CHECKING:
    from gateway.errors import GatewayError
    from gateway.ports import Amounts, Grant
    from gateway.vocabulary import Limits, Meter

LONGEST_WAIT = 60.0


def remaining(used: Amounts, limits: Limits) -> Remaining:
    """What the windows still hold; never negative, although late charges may pass a limit."""
    return Remaining(requests=_left(limits.requests, used.requests), tokens=_left(limits.tokens, used.tokens))


def refusal(meter: Meter, grant: Grant | None, tokens: int = 0) -> GatewayError:
    """The failure for a grant that fell short of `tokens` (or of a request, or a slot).

    None: the store is away and the meter's fallback does not allow it. A store that was restarted and is still being
    told what everybody knows is away, too.
    """
    if grant is None or grant.short_of is None:
        return service_unavailable("Rate limiter unavailable, please retry")
    used, limits = grant.used, meter.limits
    wait = LONGEST_WAIT if grant.retry_after is None else grant.retry_after
    if meter.scope is Scope.BUDGET:
        return insufficient_balance()
    if meter.scope is Scope.ADDRESS:
        return ip_limit_exceeded(wait)
    match grant.short_of:
        case "requests":
            return request_limit_exceeded(used.requests, limits.requests or 0, wait)
        case "tokens":
            return token_limit_exceeded(used.tokens, limits.tokens or 0, wait, tokens)
        case _:
            return concurrency_limit_exceeded(used.slots, limits.concurrency or 0, wait)


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)
