"""P: the reply to a call of which every answer is at hand, from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.plan.cache_key import narrower
from gateway.plan.planner import Inquiry, arrange
from gateway.plan.reply import reply
from gateway.settle.outcome import settled
from gateway.vocabulary import Directives, Fresh, Job, Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.endpoints.endpoint import Endpoint
    from gateway.fast.repeat import Candidate
    from gateway.vocabulary import Answer, Facts, ItemKey, Plan, Reply

    Held = Callable[[Sequence[ItemKey]], Mapping[bytes, Answer] | None]

_NO_DIRECTIVES = Directives()
_NOTHING = Fresh({})


def worked_out(candidate: Candidate, endpoint: Endpoint, body: bytes, facts: Facts, held: Held) -> Reply | None:
    """What the pipeline would say, and in `facts` what it would count; None: that is for it to find out.

    `held` gives the answers by their proofs, if all are at hand. Mistakes in the body are the pipeline's to name.
    """
    snapshot, caller = candidate.snapshot, candidate.caller
    try:
        job = endpoint.validate(body, snapshot)
        plan = _plan(candidate, job, held) if isinstance(job, Job) else None
        if plan is None or not isinstance(job, Job):
            return None
        facts.tenant, facts.tier, facts.key_id = caller.label, caller.tier, caller.key_id
        facts.model, facts.items = job.model, job.item_count
        settled(job, plan, _NOTHING, snapshot.price(caller.tenant, snapshot.served[job.model].model), facts)
        return reply(endpoint, job, plan, _NOTHING, facts)
    except GatewayError:
        return None


def _plan(candidate: Candidate, job: Job, held: Held) -> Plan | None:
    """The plan of a job of texts that is wholly stored."""
    snapshot, caller = candidate.snapshot, candidate.caller
    if job.labels or not all(item.modality is Modality.TEXT for unit in job.units for item in unit):
        return None
    scope = narrower(caller.cache_scope, snapshot.served[job.model].cache_scope)
    inquiry = Inquiry(job, caller, scope, snapshot.secret, _NO_DIRECTIVES, snapshot.config.cache.promote_after)
    keys = inquiry.keys(job)
    found = held(keys) if inquiry.storable else None
    plan = None if found is None else arrange(keys, found, job, storable=True)
    return None if plan is None or plan.missing else plan
