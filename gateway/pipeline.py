"""C: the life of a request, a page long; everything else is detail."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from gateway.admit.estimate import estimate
from gateway.authenticate import authenticate
from gateway.dispatch.dispatcher import Order
from gateway.errors import GatewayError
from gateway.plan.planner import complete
from gateway.settle.usage import charge, counted
from gateway.vocabulary import Reply, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from gateway.admit.reservation import Admission, Reservation
    from gateway.config.snapshot import Served, Snapshot
    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.endpoints.endpoint import Endpoint
    from gateway.plan.planner import Planner
    from gateway.ports import Clock, Observer
    from gateway.vocabulary import Answer, Call, Caller, Facts, Job, Plan


class Pipeline:
    """The stages in their order. One for a worker; a request takes `snapshot` once and sees nothing else."""

    def __init__(  # noqa: PLR0913 - the composition root hands over every stage by name, once
        self,
        *,
        snapshot: Snapshot,
        admission: Admission,
        planner: Planner,
        dispatcher: Dispatcher,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.snapshot = snapshot
        self._admission = admission
        self._planner = planner
        self._dispatcher = dispatcher
        self._clock = clock
        self._observer = observer

    async def serve(self, endpoint: Endpoint, call: Call, facts: Facts) -> Reply:
        """Answer one call.

        Raises:
            GatewayError: what the client is to be told instead.
        """
        snapshot = self.snapshot
        caller = await self._authenticate(snapshot, call, facts)
        try:
            body = await call.read()
            with self._stage(facts, Stage.VALIDATE):
                job = endpoint.validate(body, snapshot)
                facts.model, facts.items = job.model, job.item_count
            async with self._reserve(caller, facts) as quota:
                with self._stage(facts, Stage.PLAN):
                    plan = await self._planner.plan(caller, job, snapshot.secret)
                with self._stage(facts, Stage.ADMIT):
                    await quota.cover(self._to_reserve(snapshot, job, plan))
                with self._stage(facts, Stage.DISPATCH):
                    fresh = await self._dispatch(snapshot, job, plan, call.deadline)
                self._record(snapshot, quota, plan, fresh, facts)
            with self._stage(facts, Stage.ASSEMBLE):
                return self._reply(endpoint, job, plan, fresh, facts)
        except GatewayError:
            if facts.remaining is None:
                facts.remaining = await self._admission.remaining(caller)
            raise

    async def _authenticate(self, snapshot: Snapshot, call: Call, facts: Facts) -> Caller:
        try:
            with self._stage(facts, Stage.AUTHENTICATE):
                caller = authenticate(call.credentials, snapshot.directory, snapshot.secret)
        except GatewayError:
            await self._admission.failed_authentication(call.client, snapshot.config.limits.ip_failures_per_minute)
            raise
        facts.tenant, facts.tier, facts.key_id = caller.tenant, caller.tier, caller.key_id
        return caller

    async def _dispatch(self, snapshot: Snapshot, job: Job, plan: Plan, deadline: float) -> Mapping[int, Answer]:
        if not plan.missing:
            return {}

        async def arrived(fresh: Mapping[int, Answer]) -> None:
            await self._planner.remember(plan, fresh)

        return await self._dispatcher.run(Order(snapshot, _served(snapshot, job), job, deadline, arrived), plan.missing)

    def _to_reserve(self, snapshot: Snapshot, job: Job, plan: Plan) -> int:
        """Tokens to reserve: a safe bound for what must be asked, and what is stored where the config counts it."""
        context = _served(snapshot, job).model.context_length
        asked = sum(estimate(job.units[at], job.query, context, job.endpoint) for at in plan.missing)
        if not snapshot.config.limits.count_cached_tokens:
            return asked
        copies = sum(estimate(job.units[at], job.query, context, job.endpoint) for at in plan.twins)
        return asked + copies + sum(answer.tokens for answer in plan.stored.values())

    def _record(
        self, snapshot: Snapshot, quota: Reservation, plan: Plan, fresh: Mapping[int, Answer], facts: Facts
    ) -> None:
        charged = charge(plan, fresh)
        facts.reported_tokens, facts.upstream_tokens = charged.reported, charged.upstream
        facts.misses, facts.duplicates = len(plan.missing), len(plan.twins)
        facts.hits = len(plan.keys) - facts.misses - facts.duplicates
        quota.record(charged, counted(charged, count_cached=snapshot.config.limits.count_cached_tokens))

    def _reply(self, endpoint: Endpoint, job: Job, plan: Plan, fresh: Mapping[int, Answer], facts: Facts) -> Reply:
        return Reply(
            body=endpoint.assemble(job, complete(plan, fresh)),
            hits=facts.hits,
            misses=facts.misses,
            duplicates=facts.duplicates,
            stored=plan.storable and bool(fresh),
            bypassed=not plan.storable,
            warnings=job.warnings,
        )

    @asynccontextmanager
    async def _reserve(self, caller: Caller, facts: Facts) -> AsyncIterator[Reservation]:
        """The reservation, with entering timed as `admit` and leaving as `settle`."""
        started = self._clock.monotonic()
        async with self._admission.reserve(caller, facts) as quota:
            self._ended(facts, Stage.ADMIT, started)
            try:
                yield quota
            finally:
                started = self._clock.monotonic()
        self._ended(facts, Stage.SETTLE, started)

    @contextmanager
    def _stage(self, facts: Facts, stage: Stage) -> Iterator[None]:
        started = self._clock.monotonic()
        try:
            yield
        finally:
            self._ended(facts, stage, started)

    def _ended(self, facts: Facts, stage: Stage, started: float) -> None:
        seconds = self._clock.monotonic() - started
        facts.stages.append((stage, seconds))
        self._observer.stage(stage, seconds)


def _served(snapshot: Snapshot, job: Job) -> Served:
    return snapshot.served[job.model]
