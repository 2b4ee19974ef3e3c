"""C: calls of a known form: answered at once where all is held here, else by what the store or a backend has."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.admit.meters import meters_of
from gateway.admit.reservation import Reservation, at_the_door, free_of_charge
from gateway.endpoints.embeddings_parts import parted
from gateway.endpoints.embeddings_reply import closed, each_vector, fragments, is_large
from gateway.errors import GatewayError, internal_error
from gateway.fast.misses import Misses
from gateway.fast.ongoing import Ongoing, closed_by_client
from gateway.fast.tallies import Tallies
from gateway.plan.derive import derive
from gateway.plan.planner import arrange, knowing
from gateway.vocabulary import Tally, nanos

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from gateway.endpoints.embeddings_parts import Piece
    from gateway.fast.form import Form
    from gateway.fast.means import Means
    from gateway.fast.repeat import Asker
    from gateway.ports import Sources
    from gateway.vocabulary import Answer, Facts, ItemKey, Meter, Plan, Remaining, Reply

MOST_AT_ONCE = 1_024
"""Texts of a call that nobody remembers (gateway.fast.lists): three milliseconds."""

MOST_AWAITED = 64
"""Texts of a call that is answered here though it must ask: a longer list is work that others must not wait for."""


class Hit(NamedTuple):
    """An answer wholly from the cache: the parts of its body, what its head says, and the keys of its texts.

    A large one has `pieces` instead, made while they are sent, to be gone through once.
    """

    parts: tuple[bytes, ...]
    hits: int
    duplicates: int
    warnings: tuple[str, ...]
    remaining: Remaining | None
    keys: Sequence[ItemKey]
    pieces: Generator[Piece] | None = None


class Tell(Protocol):
    """Gives the client its answer; who is gone gets none. Returns the status that it has. Never raises."""

    def __call__(self, answer: Hit | Reply | GatewayError, facts: Facts | None) -> int:
        """`facts` of anything but a hit."""
        ...


class Layer(Protocol):
    """The cache, its in-process layer first."""

    def at_hand(self, keys: Sequence[ItemKey], now: float) -> list[Answer] | None:
        """The answer for each key, if all are held here; they count as used then."""
        ...

    def held(self, keys: Sequence[ItemKey], now: float) -> dict[bytes, Answer] | None:
        """The answers by their proofs, if all are held here; nothing is asked, and nothing counts as used."""
        ...

    def fetch(self, keys: Sequence[ItemKey], done: Callable[[list[Answer | None]], None]) -> None:
        """As AnswerStore.get, told to `done` later, once."""
        ...


class FormedCalls:
    """One for a worker.

    A call of a form needs no validation and no plan but its keys. What is here is answered between two lines of Python,
    as in FastPath. Else one request and one slot are taken first, as the pipeline does, and the store is asked; what
    nobody has yet is the pipeline's from there on. Whatever would have to wait before that goes the pipeline's way.
    """

    def __init__(self, means: Means, answers: Layer, sources: Sources) -> None:
        self._means = means
        self._sources = sources
        self._answers = answers
        self._pipeline = means.pipeline
        self._leases = means.leases
        self._trace = means.trace
        self._bulk_gate = means.bulk_gate
        self._observer = means.observer
        self._clock = means.clock
        self._tasks = means.tasks
        self._reports = means.reports
        self._misses = Misses(means, self._alone)
        self._stored: list[tuple[Ongoing, Sequence[Answer], Tell]] = []
        self._unreported: list[Form] = []
        means.reports.add(self._report)

    def ask(self, form: Form, texts: Sequence[str], asker: Asker, tell: Tell) -> Hit | Ongoing | None:
        """The answer; or a call that will be told; None: nothing happened, the pipeline must see to it."""
        if self._observer.records(asker.traceparent):
            return None
        if len(texts) > MOST_AWAITED and not self._begins(form, texts, asker):
            return None
        keys = form.keys.of_texts(texts)
        found = self._answers.at_hand(keys, asker.started)
        if found is not None and form.fits(found):
            return self.at_once(form, keys, found, asker)
        if asker.traceparent or len(keys) > MOST_AWAITED:
            return None
        return self._begin(form, texts, keys, asker, tell)

    def _begins(self, form: Form, texts: Sequence[str], asker: Asker) -> bool:
        """Whether a long list is soon looked for, and its first text here: else work on the others is for nothing."""
        return (
            len(texts) <= MOST_AT_ONCE and self._answers.held(form.keys.of_texts(texts[:1]), asker.started) is not None
        )

    def at_once(self, form: Form, keys: Sequence[ItemKey], found: Sequence[Answer], asker: Asker) -> Hit | None:
        """The answer to a call of which all is here; None: a limit is the pipeline's to see to."""
        tokens = sum([answer.tokens for answer in found])
        if not self._leases.spend_at_once(meters_at(form, asker), tokens if form.counts_cached else 0):
            return None
        self._bulk_gate.interactive(asker.started)
        self._trace.seen(keys)
        return self._hit(form, keys, found, asker, self.enter)

    def _begin(
        self, form: Form, texts: Sequence[str], keys: Sequence[ItemKey], asker: Asker, tell: Tell
    ) -> Ongoing | None:
        meters = meters_at(form, asker)
        door = at_the_door(self._leases, meters)
        if door is None:
            return None
        self._bulk_gate.interactive(asker.started)
        self._trace.seen(keys)
        ongoing = Ongoing(form, texts, keys, asker, meters, door)
        wanted = list(keys)
        if form.source_keys is not None and self._sources.may_exist(asker.started):
            wanted += form.source_keys.of_texts(texts)
        self._answers.fetch(wanted, partial(self._fetched, ongoing, tell))
        return ongoing

    def _fetched(self, ongoing: Ongoing, tell: Tell, answers: list[Answer | None]) -> None:
        """The store has answered: a hit is told; the rest is a task's."""
        form, keys = ongoing.form, ongoing.keys
        found = [answer for answer in answers[: len(keys)] if answer is not None]
        if len(found) < len(keys) or form.counts_cached or ongoing.gone or not form.fits(found):
            self._misses.add(ongoing, answers, tell)
            return
        if not self._stored:
            asyncio.get_running_loop().call_soon(self._tell_stored)
        self._stored.append((ongoing, found, tell))

    def _tell_stored(self) -> None:
        """Tell those of one turn whose answers the store had, once the ledger has them: one row for all of a form."""
        stored, self._stored = self._stored, []
        hits: list[tuple[Ongoing, Tell, Hit]] = []
        tallies = Tallies(self._means)
        for ongoing, found, tell in stored:
            free_of_charge(self._leases, ongoing.door)
            try:
                hit = self._hit(ongoing.form, ongoing.keys, found, ongoing.asker, tallies.hit)
            except Exception as error:  # noqa: BLE001 - as below
                self._failed(ongoing, error, tell, ongoing.facts())
            else:
                hits.append((ongoing, tell, hit))
        try:
            tallies.count()
        finally:
            for ongoing, tell, hit in hits:
                try:
                    tell(hit, None)
                except Exception as error:  # noqa: BLE001 - as below; the others wait for theirs
                    self._observer.defect(ongoing.facts(), error)

    def _alone(self, ongoing: Ongoing, answers: Sequence[Answer | None], tell: Tell) -> None:
        self._tasks.spawn(self._go_on(ongoing, answers, tell), "call")

    async def _go_on(self, ongoing: Ongoing, answers: Sequence[Answer | None], tell: Tell) -> None:
        """The answer, or why there is none, and the last word on the call."""
        facts = ongoing.facts()
        quota = Reservation(self._leases, ongoing.meters, facts, ongoing.door)
        failure: GatewayError | None = None
        answer: Reply | GatewayError
        try:
            if ongoing.gone:
                quota.settle()
                raise closed_by_client()
            answer = await ongoing.run(self._answer(ongoing, answers, quota))
        except GatewayError as error:
            answer = failure = error
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours becomes a 500 in the contract's shape
            self._failed(ongoing, error, tell, facts)
            return
        status = tell(answer, facts)
        self._observer.request(facts, self._clock.monotonic() - ongoing.asker.started, failure, status)

    def _failed(self, ongoing: Ongoing, error: Exception, tell: Tell, facts: Facts) -> None:
        """A defect of ours."""
        self._observer.defect(facts, error)
        failure = internal_error()
        status = tell(failure, facts)
        self._observer.request(facts, self._clock.monotonic() - ongoing.asker.started, failure, status)

    async def _answer(self, ongoing: Ongoing, answers: Sequence[Answer | None], quota: Reservation) -> Reply:
        form = ongoing.form
        return await self._pipeline.resume(
            form.endpoint,
            ongoing.call(),
            quota.facts,
            snapshot=form.snapshot,
            caller=ongoing.asker.caller,
            job=form.of(ongoing.texts),
            plan=_plan(ongoing, answers),
            quota=quota,
        )

    def _hit(
        self,
        form: Form,
        keys: Sequence[ItemKey],
        found: Sequence[Answer],
        asker: Asker,
        entered: Callable[[Form, int, int], None],
    ) -> Hit:
        """Count a call that was answered from the cache, as `counted`, and make its answer."""
        tokens, hits = form.sums.count(keys, found)
        copies, begun = len(keys) - hits, form.opening % (tokens, tokens)
        left = self.counted(form, tokens, hits, copies, asker, entered)
        if len(keys) > 1 and is_large(found):
            pieces = parted(begun, each_vector(found, form.presentation))
            return Hit((), hits, copies, form.job.warnings, left, keys, pieces)
        return Hit(closed(begun, fragments(found, form.presentation)), hits, copies, form.job.warnings, left, keys)

    def counted(  # noqa: PLR0913, PLR0917 - what a call comes to
        self,
        form: Form,
        tokens: int,
        hits: int,
        copies: int,
        asker: Asker,
        entered: Callable[[Form, int, int], None],
    ) -> Remaining | None:
        """Put down a call that was answered from the cache; what is left of its tenant's limits.

        `entered` brings tokens and nano-dollars to the ledger.
        """
        sums = form.sums
        if not sums.seconds:
            self._unreported.append(form)
            self._reports.soon()
        saved = nanos(form.price, tokens)
        sums.saved_nanos += saved
        entered(form, tokens, saved)
        left = self._means.left(form.tenant)
        seconds = self._clock.monotonic() - asker.started
        sums.seconds.append(seconds)
        if self._observer.wanted(seconds):
            facts = form.facts(asker.request_id, hits + copies)
            facts.hits, facts.duplicates, facts.reported_tokens = hits, copies, tokens
            facts.saved_tokens, facts.saved_nanos, facts.remaining = tokens, saved, left
            self._observer.line(facts, seconds, asker.traceparent)
        return left

    def enter(self, form: Form, tokens: int, saved: int) -> None:
        """Bring a call into the ledger."""
        form.account = self._means.count(form.account, Tally(1, tokens, 0, 0, tokens, saved))

    def _report(self) -> None:
        """Bring what was answered since the last time into the metrics."""
        unreported, self._unreported = self._unreported, []
        for form in unreported:
            facts, seconds = form.reported()
            self._observer.repeated(facts, seconds, 1)


def meters_at(form: Form, asker: Asker) -> tuple[Meter, ...]:
    """What a call spends of."""
    if form.meters is not None:
        return form.meters
    return meters_of(form.snapshot, asker.caller, form.endpoint.name, form.job.model, asker.client)


def _plan(ongoing: Ongoing, found: Sequence[Answer | None]) -> Plan:
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
