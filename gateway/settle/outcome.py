"""P: what an answered job comes to: the facts of its request, and what is charged for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.settle.savings import savings
from gateway.settle.usage import charge
from gateway.vocabulary import Cause, nanos

if TYPE_CHECKING:
    from gateway.vocabulary import Charge, Facts, Fresh, Job, Plan


def settled(job: Job, plan: Plan, fresh: Fresh, price: str, facts: Facts) -> Charge:
    """Put down in `facts` what was had from where, what it cost at `price` (US dollars a token), what was saved."""
    charged = charge(plan, fresh, job.times)
    facts.reported_tokens, facts.upstream_tokens = charged.reported, charged.upstream
    facts.misses, facts.duplicates = len(plan.missing) + len(plan.foreign), len(plan.twins)
    facts.hits = len(plan.keys) - facts.misses - facts.duplicates
    facts.savings = savings(plan, fresh, job, price)
    facts.paid_tokens = charged.upstream + charged.foreign
    facts.nanos = nanos(price, facts.paid_tokens)
    facts.saved_tokens = sum(saving.tokens for saving in facts.savings if saving.cause is not Cause.PROMOTED)
    facts.saved_nanos = nanos(price, facts.saved_tokens)
    return charged
