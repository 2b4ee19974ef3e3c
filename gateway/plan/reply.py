"""P: a plan and what came fresh → what the client gets, and what is said of where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.endpoints.partial import assemble_partial
from gateway.plan.planner import complete
from gateway.vocabulary import Reply

if TYPE_CHECKING:
    from gateway.endpoints.endpoint import Endpoint
    from gateway.vocabulary import Facts, Fresh, Job, Plan


def reply(endpoint: Endpoint, job: Job, plan: Plan, fresh: Fresh, facts: Facts) -> Reply:
    """The reply; raises GatewayError as `complete` does."""
    answers = complete(plan, fresh.answers)
    pieces = None if fresh.refused else endpoint.stream(job, answers)
    if fresh.refused:
        body = assemble_partial(endpoint, job, answers, fresh.places, fresh.refused)
    else:
        body = endpoint.assemble(job, answers) if pieces is None else b""
    return Reply(
        body=body,
        pieces=pieces,
        refused=len(fresh.refused),
        hits=facts.hits,
        misses=facts.misses,
        duplicates=facts.duplicates,
        stored=plan.storable and facts.misses > 0,
        collapsed=bool(fresh.shared) and len(fresh.shared) == facts.misses,
        bypassed=not plan.storable,
        warnings=job.warnings,
        sources=() if plan.missing or plan.derived or plan.foreign else tuple(zip(plan.keys, answers, strict=True)),
    )
