"""C: the life of a request, a page long; everything else is detail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from gateway.admit.cover import to_pay, to_reserve
from gateway.admit.labels import check_labels
from gateway.admit.meters import meters_of
from gateway.admit.reservation import Held
from gateway.authenticate import recognise
from gateway.dispatch.refusals import leaves_a_reply, refused
from gateway.errands import Errands
from gateway.errors import Code, GatewayError, service_timeout
from gateway.plan.inputs import validated
from gateway.plan.partial import with_copies, without_refused
from gateway.plan.planner import complete, only_if_cached_error
from gateway.plan.reply import reply
from gateway.plan.told import told
from gateway.plan.work import work_of
from gateway.settle.outcome import settled
from gateway.settle.usage import counted
from gateway.stages import Timed
from gateway.turns import turn_over
from gateway.vocabulary import Fresh, Job, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from gateway.admit.budgets import Budgets
    from gateway.admit.bulk_gate import BulkGate
    from gateway.admit.estimate import Estimate, Estimator
    from gateway.admit.reservation import Admission, Reservation
    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.dispatch.in_flight import InFlight
    from gateway.endpoints.endpoint import Endpoint
    from gateway.endpoints.transaction import Transactions
    from gateway.plan.inputs import Inputs
    from gateway.plan.planner import Planner
    from gateway.plan.work import Work
    from gateway.ports import Clock, Observer
    from gateway.settle.ledger import Count
    from gateway.vocabulary import Answer, Call, Caller, Facts, Plan, Reply, RequestTrace

    Commit = Callable[[Sequence[Answer]], Awaitable[None]]

GRACE = 0.05
"""Seconds after its deadline that a call is cut off. Its stages end by themselves before, and know more."""

_TICK = 0.005
"""Timers of an event loop may ring so many seconds early."""

T = TypeVar("T")


class Pipeline:
    """The stages in their order. One for a worker; a request takes `snapshot` once and sees nothing else.

    `count` gets the facts of all answered requests, for the ledger. The parts without an underscore serve calls of
    a known form, too (gateway.fast).
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over every stage by name, once
        self,
        *,
        snapshot: Snapshot,
        admission: Admission,
        budgets: Budgets,
        estimator: Estimator,
        planner: Planner,
        in_flight: InFlight,
        dispatcher: Dispatcher,
        bulk_gate: BulkGate,
        transactions: Transactions,
        clock: Clock,
        observer: Observer,
        count: Count,
        inputs: Inputs | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._admission = admission
        self.budgets = budgets
        self.estimator = estimator
        self._planner = planner
        self.in_flight = in_flight
        self.errands = Errands(planner, dispatcher)
        self._bulk_gate = bulk_gate
        self._transactions = transactions
        self._clock = clock
        self._observer = observer
        self.count = count
        self._inputs = inputs

    async def serve(self, endpoint: Endpoint, call: Call, facts: Facts) -> Reply:
        """Answer one call.

        Raises:
            GatewayError: what the client is to be told instead.
        """
        snapshot = self.snapshot
        caller = await self.authenticate(snapshot, call, facts)
        call = call.within(caller.timeout)
        serving = self._serve(endpoint, snapshot, caller, call, facts)
        through = self._bulk_gate.through(call.lane, caller.tenant, facts, serving)
        return await self._counted(snapshot, caller, call, facts, through)

    async def resume(  # noqa: PLR0913 - all that was found out, by name
        self,
        endpoint: Endpoint,
        call: Call,
        facts: Facts,
        *,
        snapshot: Snapshot,
        caller: Caller,
        job: Job,
        plan: Plan,
        quota: Reservation,
    ) -> Reply:
        """Answer an interactive call that was admitted and planned elsewhere (gateway.fast); `quota` is settled.

        Raises:
            GatewayError: what the client is to be told instead.
        """
        work = work_of(snapshot, caller, job, call)
        return await self._counted(snapshot, caller, call, facts, self._resume(endpoint, work, plan, quota, facts))

    async def _resume(self, endpoint: Endpoint, work: Work, plan: Plan, quota: Reservation, facts: Facts) -> Reply:
        try:
            quota.count_in(await self.budgets.meters(work.snapshot, work.caller))
            plan, answered = await self._obtain(work, plan, quota, facts)
        finally:
            quota.settle()
        with self.stage(facts, Stage.ASSEMBLE):
            return reply(endpoint, work.job, plan, answered, facts)

    async def _counted(
        self, snapshot: Snapshot, caller: Caller, call: Call, facts: Facts, serving: Coroutine[None, None, Reply]
    ) -> Reply:
        """The reply in time, in the ledger; else the failure, with what is left of the caller's limits."""
        try:
            answer = await self.in_time(call, serving)
            self.count(facts)
            return answer  # noqa: TRY300 - what fails here costs nothing
        except GatewayError as error:
            await self.failed(snapshot, caller, call, facts, error)
            raise

    async def failed(self, snapshot: Snapshot, caller: Caller, call: Call, facts: Facts, error: GatewayError) -> None:
        """See to a call that failed: what counts as a failure to authenticate, and what is left of its limits.

        Raises:
            GatewayError: what is told instead of `error`.
        """
        if error.code is Code.AUTH_INVALID_API_KEY:  # the backend says so, of a key that was passed through
            await self._count_failure(snapshot, call)
        if facts.remaining is None:
            facts.remaining = await self._admission.remaining(caller.meters)

    async def _serve(self, endpoint: Endpoint, snapshot: Snapshot, caller: Caller, call: Call, facts: Facts) -> Reply:
        body = await call.read()
        with self.stage(facts, Stage.VALIDATE):
            asked = await validated(endpoint, body, snapshot)
        if isinstance(asked, Job):
            return await self._answer(endpoint, work_of(snapshot, caller, asked, call), facts)
        async with self._transactions.begin(asked, snapshot, caller) as transaction:
            facts.endpoint = transaction.endpoint
            call = call if transaction.divisible else replace(call, partial=False)
            work = work_of(snapshot, caller, transaction.job, call)
            return await self._answer(endpoint, work, facts, transaction.commit)

    async def _answer(self, endpoint: Endpoint, work: Work, facts: Facts, commit: Commit | None = None) -> Reply:
        """What a job's answers make; `commit` keeps what follows from them while nothing is charged yet."""
        job = work.job
        check_labels(job, work.caller)
        facts.model, facts.items = job.model, job.item_count
        async with self._reserve(work, facts) as quota:
            with self.stage(facts, Stage.PLAN):
                if self._inputs is not None:
                    job = await self._inputs.bring(job, work.served, work.snapshot, work.call.deadline)
                    work = work if job is work.job else work_of(work.snapshot, work.caller, job, work.call)
                plan = await self._plan(work)
            plan, answered = await self._obtain(work, plan, quota, facts, commit)
        await turn_over(len(plan.keys))
        with self.stage(facts, Stage.ASSEMBLE):
            return reply(endpoint, job, plan, answered, facts)

    async def _obtain(
        self, work: Work, plan: Plan, quota: Reservation, facts: Facts, commit: Commit | None = None
    ) -> tuple[Plan, Fresh]:
        """What is missing, and the plan without what was refused; what it cost is in `facts` and `quota`."""
        job = work.job
        with self.stage(facts, Stage.ADMIT):
            unknown = (*plan.missing, *plan.foreign)
            model, estimator = work.served.model, self.estimator
            estimate = estimator.at_once(job, model, unknown) or await estimator.estimate(job, model, unknown)
            await quota.cover(*_at_most(work, plan, estimate))
        with self.stage(facts, Stage.DISPATCH):
            fresh = await self._dispatch(work, plan, estimate, facts.trace)
        await turn_over(len(plan.keys))
        facts.estimated_tokens = self.estimator.learn(estimate, fresh)
        plan, answered = without_refused(plan, fresh)
        if commit is not None:
            await commit(complete(plan, answered.answers))
        _record(work, quota, plan, answered, facts)
        return plan, answered

    async def in_time(self, call: Call, serving: Coroutine[None, None, T]) -> T:
        """The reply by the call's deadline, whatever a stage waits for; who is late hears of its own seconds."""
        try:
            async with asyncio.timeout(call.deadline + GRACE - self._clock.monotonic()) as limit:
                return await serving
        except TimeoutError:
            if not limit.expired():
                raise
            raise service_timeout(call.timeout) from None
        except GatewayError as error:
            raise self.in_own_words(call, error) from None

    def in_own_words(self, call: Call, error: GatewayError) -> GatewayError:
        """What a call is told of its failure."""
        late = error.code is Code.SERVICE_TIMEOUT and self._clock.monotonic() >= call.deadline - _TICK
        return service_timeout(call.timeout) if late else error

    async def authenticate(self, snapshot: Snapshot, call: Call, facts: Facts) -> Caller:
        """Who asks; failures are counted by address. Raises GatewayError."""
        try:
            with self.stage(facts, Stage.AUTHENTICATE):
                caller = call.caller or recognise(call.credentials, snapshot, self._clock.epoch())
        except GatewayError:
            await self._count_failure(snapshot, call)
            raise
        facts.tenant, facts.tier, facts.key_id = caller.label, caller.tier, caller.key_id
        return caller

    async def _count_failure(self, snapshot: Snapshot, call: Call) -> None:
        await self._admission.failed_authentication(call.client, snapshot.config.limits.ip_failures_per_minute)

    async def _plan(self, work: Work) -> Plan:
        plan = await self._planner.plan(work.inquiry)
        if work.call.directives.only_if_cached and plan.missing:
            raise only_if_cached_error(plan)
        return plan

    async def _dispatch(self, work: Work, plan: Plan, estimate: Estimate, trace: RequestTrace | None) -> Fresh:
        """Answers for what is missing: from whoever is asking for it already, else from the backend."""
        if not plan.missing:
            return Fresh({})
        errand = self.errands.of(work, plan, estimate.tokens, work.call.depart, trace)
        flown = replace(plan, storable=False) if work.call.directives.wants_new else plan
        fresh = await self.in_flight.run(flown, errand.deadline, errand.late, errand.fill)
        fresh = with_copies(plan, fresh)
        answered = plan.stored.keys() | fresh.answers.keys()
        if fresh.refused and not (work.call.partial and leaves_a_reply(work.job, answered, fresh.refused)):
            raise refused(work.job, fresh.refused)
        return fresh

    def stage(self, facts: Facts, stage: Stage) -> Timed:
        """Time what runs inside a `with` block, as that stage."""
        return Timed(self._clock, self._observer, facts, stage)

    def _reserve(self, work: Work, facts: Facts) -> Held:
        """The reservation, with entering timed as `admit` and leaving as `settle`."""
        return Held(self._enter(work, facts), self.stage(facts, Stage.ADMIT), self.stage(facts, Stage.SETTLE))

    async def _enter(self, work: Work, facts: Facts) -> Reservation:
        meters = meters_of(work.snapshot, work.caller, facts.endpoint, work.job.model, work.call.client)
        meters += await self.budgets.meters(work.snapshot, work.caller)
        return await self._admission.reserve(meters, facts).__aenter__()


def _at_most(work: Work, plan: Plan, estimate: Estimate) -> tuple[int, int, int]:
    """What a request is reserved: tokens, and tokens and nano-dollars that are paid."""
    count_cached = work.snapshot.config.limits.count_cached_tokens
    return to_reserve(work.job, plan, estimate, count_cached=count_cached), *to_pay(estimate, work.price)


def _record(work: Work, quota: Reservation, plan: Plan, fresh: Fresh, facts: Facts) -> None:
    """Put down what an answered request cost, and what it saved."""
    charged = settled(work.job, plan, fresh, work.price, facts)
    if facts.told is not None:
        facts.told.extend(told(plan, fresh))
    window = counted(charged, count_cached=work.snapshot.config.limits.count_cached_tokens, times=work.job.times)
    quota.record(charged, window, facts.paid_tokens, facts.nanos)
