"""P: what a request is told it used, and what it used of its tenant's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.vocabulary import Charge

if TYPE_CHECKING:
    from gateway.vocabulary import Fresh, Plan


def charge(plan: Plan, fresh: Fresh, times: int = 1) -> Charge:
    """Tokens of a completed plan.

    Reported: every unit at what it cost when it was first asked, so that a hit reports the same usage as a miss; this
    `times` over.
    Upstream: only what was asked now, and by this request; what another request in flight asked is that one's.
    Foreign: what other orgs paid for.
    """
    reported = sum([answer.tokens for answer in plan.complete(fresh.answers)])
    paid = (answer.tokens for position, answer in fresh.answers.items() if position not in fresh.shared)
    foreign = sum(plan.stored[position].tokens for position in plan.foreign)
    return Charge(reported=reported * times, upstream=sum(paid), foreign=foreign)


def counted(charged: Charge, *, count_cached: bool, times: int = 1) -> int:
    """Tokens that count toward tokens per minute (`limits.count_cached_tokens`); those of a backend `times` over."""
    return charged.reported if count_cached else (charged.upstream + charged.foreign) * times
