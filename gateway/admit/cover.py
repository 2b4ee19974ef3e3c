"""P: what a request takes of its limits before its backend has counted anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.vocabulary import nanos

if TYPE_CHECKING:
    from gateway.admit.estimate import Estimate
    from gateway.vocabulary import Job, Plan


def to_reserve(job: Job, plan: Plan, estimate: Estimate, *, count_cached: bool) -> int:
    """Tokens to reserve: for what must be asked or seems so, and for copies and what is stored where they count."""
    if not count_cached:
        return sum(estimate.tokens.values()) * job.times
    known = {**{at: answer.tokens for at, answer in plan.stored.items()}, **estimate.tokens}
    return (sum(known.values()) + sum(known[original] for original in plan.twins.values())) * job.times


def to_pay(estimate: Estimate, price: str) -> tuple[int, int]:
    """Tokens that a backend may count at most, and what they cost in nano-dollars: for budgets and balances."""
    tokens = sum(estimate.tokens.values())
    return tokens, nanos(price, tokens)
