"""C: a call for one text that nobody has: what it takes before that is asked for, and what it comes to after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.alarm import NEVER
from gateway.endpoints.embeddings_once import once
from gateway.endpoints.embeddings_reply import closed, fragments
from gateway.plan.work import work_of
from gateway.settle.savings import saving
from gateway.vocabulary import Cause, Charge, Plan, Reply, Stage, nanos

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.admit.estimate import Lone
    from gateway.admit.reservation import Reservation
    from gateway.dispatch.flight import Flight
    from gateway.fast.formed import Tell
    from gateway.fast.ongoing import Ongoing
    from gateway.pipeline import Pipeline
    from gateway.plan.work import Work
    from gateway.stages import Timed
    from gateway.vocabulary import Answer, Facts, Item, ItemKey


@dataclass(slots=True, eq=False)
class Missed:
    """One for a call. The tokens that `item` may cost are taken of all limits until `quota` is settled.

    `flight` brings its answer, and is ours to pay for if `mine`. `until` is when it is late, by the clock of the event
    loop; `gives_up` is called then.
    """

    ongoing: Ongoing
    found: Sequence[Answer | None]
    tell: Tell
    item: Item
    quota: Reservation
    estimate: Lone
    flying: Timed
    gives_up: Callable[[Missed], None]
    until: float = NEVER
    flight: Flight | None = None
    mine: bool = False

    @property
    def key(self) -> ItemKey:
        """Where its answer will be stored."""
        return self.ongoing.keys[0]

    @property
    def facts(self) -> Facts:
        """What is known of the call."""
        return self.quota.facts

    def late(self) -> None:
        """As alarm.Timed."""
        self.until = NEVER
        self.gives_up(self)


def covered(pipeline: Pipeline, ongoing: Ongoing, item: Item, quota: Reservation) -> Lone | None:
    """What a text costs at most, taken of all limits; None: it would have to wait, and nothing was taken.

    As admit.cover has it of a list of one.
    """
    form = ongoing.form
    estimate = pipeline.estimator.of_text(form.endpoint.name, form.model, item)
    budgets = pipeline.budgets.at_once(form.snapshot, ongoing.asker.caller)
    if estimate is None or budgets is None:
        return None
    admitting, tokens = pipeline.stage(quota.facts, Stage.ADMIT), estimate.tokens
    admitting.begin()
    quota.count_in(budgets)
    if not quota.cover_at_once(tokens, tokens, nanos(form.price, tokens)):
        return None  # whoever waits for it ends the stage
    admitting.end()
    return estimate


def concluded(pipeline: Pipeline, missed: Missed, answer: Answer, *, paid: bool) -> Reply:
    """The reply, now that the text has its answer: settled, not in the ledger. As settle.outcome, of a list of one."""
    form, facts, quota, tokens = missed.ongoing.form, missed.facts, missed.quota, answer.tokens
    ours = paid and missed.mine
    facts.misses = 1
    try:
        if ours:
            facts.estimated_tokens = missed.estimate.tokens
            pipeline.estimator.learn_of_text(missed.estimate, tokens)
            facts.paid_tokens, facts.nanos = tokens, nanos(form.price, tokens)
        else:
            facts.savings = (saving(Cause.IN_FLIGHT, 1, tokens, answer.micros, form.price),)
            facts.saved_tokens, facts.saved_nanos = tokens, nanos(form.price, tokens)
        charged = Charge(tokens, facts.paid_tokens)
        quota.record(charged, tokens if form.counts_cached else charged.upstream, charged.upstream, facts.nanos)
    finally:
        quota.settle()
    with pipeline.stage(facts, Stage.ASSEMBLE):
        rows = once(answer, form.presentation) if ours else fragments((answer,), form.presentation)
        body = b"".join(closed(form.opening % (tokens, tokens), rows))
    return Reply(body, misses=1, stored=True, collapsed=not ours, warnings=form.job.warnings)


def as_one(group: Sequence[Missed]) -> tuple[Work, Plan, dict[int, int]]:
    """What calls of one form and one caller come to: their texts as one list, with the tokens of each."""
    first = group[0].ongoing
    form = first.form
    job = form.of_items([missed.item for missed in group])
    plan = Plan(tuple([missed.key for missed in group]), {}, tuple(range(len(group))))
    tokens = {at: missed.estimate.tokens for at, missed in enumerate(group)}
    return work_of(form.snapshot, first.asker.caller, job, first.call()), plan, tokens
