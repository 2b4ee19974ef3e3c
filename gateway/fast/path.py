"""C: calls that came before and are answered wholly from this process: admitted, counted and answered at once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from gateway.admit.meters import meters_of, tenant_meter
from gateway.exact import exact
from gateway.fast.attempts import Attempts
from gateway.fast.repeat import Repeat, Repeats, Sightings
from gateway.fast.work import worked_out
from gateway.vocabulary import Account, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.endpoint import Endpoint
    from gateway.fast.means import Means
    from gateway.fast.repeat import Asker, Candidate, Question
    from gateway.vocabulary import Answer, Facts, ItemKey, Reply

MOST_BYTES = 65_536
"""Of a body that is worked out at once; what takes longer must let others run meanwhile."""

_SIGHTINGS = 8_192
_SHARE = 8
"""Calls may take one part in so many of what the in-process cache may take, beside it."""


class InProcess(Protocol):
    """The in-process layer of the cache."""

    def held(self, keys: Sequence[ItemKey], now: float) -> dict[bytes, Answer] | None:
        """The answers by their proofs, if all are held here; nothing is asked, and nothing counts as used."""
        ...

    def holds(self, sources: Sequence[tuple[bytes, Answer]], now: float) -> bool:
        """Whether each of these very answers is still held under its proof; they count as used then."""
        ...


class FastPath:
    """One for a worker.

    What the pipeline does for a call that is wholly stored depends on nothing but the snapshot, the caller, the body
    and the answers; where all are what they were, the reply is, too. Limits are spent, the ledger and the cache's trace
    are told, each time; only metrics are told later, several at once. Whatever is in doubt (a limit that must ask the
    store, an answer that was replaced, a snapshot that changed) goes the pipeline's way. Nothing here waits.
    """

    def __init__(self, means: Means, answers: InProcess, cache_bytes: int) -> None:
        self._means = means
        self._answers = answers
        self._leases = means.leases
        self._trace = means.trace
        self._bulk_gate = means.bulk_gate
        self._observer = means.observer
        self._clock = means.clock
        self._reports = means.reports
        self.repeats = Repeats(cache_bytes // _SHARE)
        self._attempts = Attempts()
        self._sightings = Sightings(_SIGHTINGS)
        self._unreported: list[Repeat] = []
        means.reports.add(self._report)

    @property
    def snapshot(self) -> Snapshot:
        """What is in force."""
        return self._means.pipeline.snapshot

    def answer(self, question: Question, asker: Asker) -> Repeat | None:
        """The response to a call, which is admitted and counted then; None: nothing happened, the pipeline must."""
        repeat = self.repeats.get(question)
        if repeat is None:
            return None
        started = asker.started
        if repeat.snapshot is not self.snapshot or not self._answers.holds(repeat.sources, started):
            self.repeats.forget(question)
            return None
        meters = repeat.meters
        if meters is None:
            meters = meters_of(repeat.snapshot, asker.caller, repeat.facts.endpoint, repeat.facts.model, asker.client)
        if self._observer.records(asker.traceparent):
            return None
        if not self._leases.spend_at_once(meters, repeat.tokens):
            return None
        repeat.remaining = self._means.left(repeat.tenant)
        self.repeats.use(question)
        self._bulk_gate.interactive(started)
        repeat.account = self._means.count(repeat.account, repeat.tally)
        if repeat.sampled:
            self._trace.seen(repeat.sampled)
        seconds = self._clock.monotonic() - started
        if not repeat.seconds:
            self._unreported.append(repeat)
            self._reports.soon()
        repeat.seconds.append(seconds)
        if self._observer.wanted(seconds):
            facts = replace(repeat.facts, request_id=asker.request_id, remaining=repeat.remaining)
            self._observer.line(facts, seconds, asker.traceparent)
        return repeat

    def knows(self, question: Question) -> bool:
        """Whether such a call is remembered, so that nothing is to be learnt from another."""
        return self.repeats.get(question) is not None

    def worth_learning(self, question: Question) -> bool:
        """Whether a call that was answered at little cost is to be remembered whole: it came before."""
        return self.repeats.limit_bytes > 0 and self._sightings.again(question.body)

    def learn(self, candidate: Candidate, head: bytes, reply: Reply, facts: Facts) -> None:
        """Remember a call that was answered wholly from the cache; others are not. `head` is as in Repeat."""
        question, snapshot = candidate.question, candidate.snapshot
        if not reply.sources or not reply.body:
            return
        limits = snapshot.config.limits
        meters = meters_of(snapshot, candidate.caller, facts.endpoint, facts.model, "")
        repeat = Repeat(
            snapshot=snapshot,
            sources=tuple({key.proof: answer for key, answer in reply.sources}.items()),
            head=head,
            body=exact(reply.body),
            facts=replace(facts, stages=[], trace=None) if facts.stages else facts,  # else nobody else has them
            tokens=facts.reported_tokens if limits.count_cached_tokens else 0,
            meters=meters if limits.rpm_per_address is None else None,
            tenant=tenant_meter(meters),
            sampled=self._trace.sampled([key for key, _ in reply.sources]),
            account=Account(0, facts.tenant, facts.key_id, facts.model, facts.endpoint),
            tally=Tally(1, facts.reported_tokens, 0, 0, facts.saved_tokens, facts.saved_nanos),
        )
        self.repeats.keep(question, repeat)

    def work_out(self, candidate: Candidate, endpoint: Endpoint, body: bytes, facts: Facts) -> Reply | None:
        """The reply to a call that did not come before, if all its answers are held here, for `learn`; else None.

        It is what the pipeline would say, without the pipeline's way there; mistakes in the body are its to name.
        """
        if len(body) > MOST_BYTES or not self._attempts.worth():
            return None
        reply = worked_out(candidate, endpoint, body, facts, partial(self._answers.held, now=self._clock.monotonic()))
        self._attempts.tried(success=reply is not None)
        return reply

    def _report(self) -> None:
        """Bring what was answered since the last time into the metrics."""
        unreported, self._unreported = self._unreported, []
        for repeat in unreported:
            seconds, repeat.seconds = repeat.seconds, []
            self._observer.repeated(replace(repeat.facts, remaining=self._means.left(repeat.tenant)), seconds)
