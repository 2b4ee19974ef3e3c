"""P: a call that was understood: what of its snapshot, its caller and its job the later stages need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.plan.cache_key import narrower
from gateway.plan.planner import Inquiry
from gateway.values import value

if TYPE_CHECKING:
    from gateway.config.snapshot import Served, Snapshot
    from gateway.vocabulary import Call, Caller, Job


@value(frozen=True, slots=True)
class Work:
    """What the later stages need of a request."""

    snapshot: Snapshot
    served: Served
    caller: Caller
    job: Job
    call: Call
    inquiry: Inquiry

    @property
    def price(self) -> str:
        """US dollars that a token costs the caller."""
        return self.snapshot.price(self.caller.tenant, self.served.model)


def work_of(snapshot: Snapshot, caller: Caller, job: Job, call: Call) -> Work:
    """What is to be done for a caller."""
    served = snapshot.served[job.model].only(job.backend)
    scope = narrower(caller.cache_scope, served.cache_scope)
    inquiry = Inquiry(job, caller, scope, snapshot.secret, call.directives, snapshot.config.cache.promote_after)
    return Work(snapshot, served, caller, job, call, inquiry)
