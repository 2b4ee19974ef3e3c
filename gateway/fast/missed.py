"""C: a call of a known form whose one missing text is on its way: what it takes before, and what it comes to after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.alarm import NEVER
from gateway.pipeline import at_most, record
from gateway.plan.derive import derive
from gateway.plan.planner import arrange, knowing
from gateway.plan.reply import reply
from gateway.plan.work import work_of
from gateway.vocabulary import Fresh, Plan, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.admit.estimate import Estimate
    from gateway.admit.reservation import Reservation
    from gateway.dispatch.flight import Flight
    from gateway.fast.formed import Tell
    from gateway.fast.ongoing import Ongoing
    from gateway.pipeline import Pipeline
    from gateway.plan.work import Work
    from gateway.stages import Timed
    from gateway.vocabulary import Answer, Facts, ItemKey, Reply

_NONE: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Missed:
    """One for a call. `at` is the text that is missing; its tokens are taken of all limits until `quota` is settled.

    `flight` brings it, and is ours to pay for if `mine`. `together`: others' texts are asked for by the same errand.
    `until` is when it is late, by the clock of the event loop; `gives_up` is called then.
    """

    ongoing: Ongoing
    found: Sequence[Answer | None]
    tell: Tell
    work: Work
    plan: Plan
    quota: Reservation
    estimate: Estimate
    flying: Timed
    gives_up: Callable[[Missed], None]
    until: float = NEVER
    flight: Flight | None = None
    mine: bool = False
    together: bool = False

    @property
    def at(self) -> int:
        """The position of the text that is missing."""
        return self.plan.missing[0]

    @property
    def key(self) -> ItemKey:
        """Where its answer will be stored."""
        return self.plan.keys[self.plan.missing[0]]

    @property
    def facts(self) -> Facts:
        """What is known of the call."""
        return self.quota.facts

    def late(self) -> None:
        """As alarm.Timed."""
        self.until = NEVER
        self.gives_up(self)


def plan_of(ongoing: Ongoing, found: Sequence[Answer | None]) -> Plan:
    """As the planner's, of what the store has: what is stored, what follows from that, and what is missing."""
    keys, form = ongoing.keys, ongoing.form
    own, sources = found[: len(keys)], found[len(keys) :]
    stored = {key.proof: answer for key, answer in zip(keys, own, strict=True) if answer is not None}
    plan = arrange(keys, stored, form.job, storable=True)
    derived = {
        at: derive(origin)
        for at in plan.missing
        if sources and (origin := sources[at]) is not None and origin.shape is form.job.shape
    }
    return knowing(plan, derived=derived) if derived else plan


def covered(pipeline: Pipeline, work: Work, plan: Plan, quota: Reservation) -> Estimate | None:
    """What a missing text costs at most, taken of all limits; None: it would have to wait, and nothing was taken."""
    estimate = pipeline.estimator.at_once(work.job, work.served.model, plan.missing)
    budgets = pipeline.budgets.at_once(work.snapshot, work.caller)
    if estimate is None or budgets is None or pipeline.in_flight.refuses(plan):
        return None
    with pipeline.stage(quota.facts, Stage.ADMIT):
        quota.count_in(budgets)
        taken = quota.cover_at_once(*at_most(work, plan, estimate))
    return estimate if taken else None


def concluded(pipeline: Pipeline, missed: Missed, answer: Answer, *, paid: bool) -> Reply:
    """The reply, now that the text has its answer: settled, and in the ledger.

    Raises:
        GatewayError: what the client is to be told instead; it is settled all the same.
    """
    work, plan, quota, facts = missed.work, missed.plan, missed.quota, missed.facts
    fresh = Fresh({missed.at: answer}, _NONE if paid and missed.mine else frozenset(plan.missing))
    try:
        facts.estimated_tokens = pipeline.estimator.learn(missed.estimate, fresh)
        record(work, quota, plan, fresh, facts)
    finally:
        quota.settle()
    with pipeline.stage(facts, Stage.ASSEMBLE):
        answered = reply(missed.ongoing.form.endpoint, work.job, plan, fresh, facts)
    pipeline.count(facts)
    return answered


def as_one(group: Sequence[Missed]) -> tuple[Work, Plan, dict[int, int]]:
    """What calls of one form and one caller come to: their texts as one list, with the tokens of each."""
    first = group[0]
    if len(group) == 1:
        return first.work, first.plan, dict(first.estimate.tokens)
    work, form = first.work, first.ongoing.form
    job = form.of([missed.ongoing.texts[missed.at] for missed in group])
    plan = Plan(tuple([missed.key for missed in group]), {}, tuple(range(len(group))))
    tokens = {at: missed.estimate.tokens[missed.at] for at, missed in enumerate(group)}
    return work_of(work.snapshot, work.caller, job, work.call), plan, tokens
