"""C: the life of a call that passes through: limits and money as everywhere, the answer as it comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.admit.meters import meters_of
from gateway.authenticate import as_address
from gateway.dispatch.order import Order
from gateway.dispatch.passage import Passage
from gateway.endpoints.events import TYPE as EVENTS
from gateway.errors import Code, GatewayError, service_unavailable
from gateway.relay.delivery import OK, Whole, page, pass_on, read
from gateway.settle.journey import Journey
from gateway.vocabulary import Answer, Fresh, Scope, Shape, Stage, nanos

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.admit.budgets import Budgets
    from gateway.admit.estimate import Estimator
    from gateway.admit.reservation import Admission, Reservation
    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.opener import Opener
    from gateway.dispatch.passage import Flow
    from gateway.endpoints.passing import Errand
    from gateway.pipeline import Pipeline
    from gateway.plan.pages import Pages
    from gateway.relay.delivery import Client
    from gateway.vocabulary import Call, Caller, Facts, Meter


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Relay:
    """Recognises, admits, opens, passes on, settles. `count` gets the facts of every call that cost something."""

    pipeline: Pipeline
    admission: Admission
    budgets: Budgets
    estimator: Estimator
    opener: Opener
    pages: Pages
    count: Callable[[Facts], None]

    async def serve(
        self, call: Call, facts: Facts, check: Callable[[Snapshot], Awaitable[Errand]], client: Client
    ) -> Whole | None:
        """Answer one call: a whole answer, or None when all of a stream was written to `client`.

        A call that is cancelled (its client is gone) ends at the backend at once, and is settled for what it got.

        Raises:
            GatewayError: what the client is to be told instead, or last.
        """
        snapshot = self.pipeline.snapshot
        caller = await self._caller(snapshot, call, facts)
        call = call.within(caller.timeout)
        try:
            answer = await self.pipeline.in_time(call, self._serve(snapshot, caller, call, facts, check, client))
        except BaseException as error:
            if facts.paid_tokens:
                self.count(facts)
            if isinstance(error, GatewayError) and error.code is Code.AUTH_INVALID_API_KEY:  # so the backend says
                limit = snapshot.config.limits.ip_failures_per_minute
                await self.admission.failed_authentication(call.client, limit)
            if isinstance(error, GatewayError) and facts.remaining is None:
                facts.remaining = await self.admission.remaining(caller.meters)
            raise
        self.count(facts)
        return answer

    async def _caller(self, snapshot: Snapshot, call: Call, facts: Facts) -> Caller:
        if call.credentials is not None:
            return await self.pipeline.authenticate(snapshot, call, facts)
        return as_address(snapshot, call, facts)

    async def _serve(  # noqa: PLR0913, PLR0917 - one stretch of `serve`, apart so that a deadline can end it
        self,
        snapshot: Snapshot,
        caller: Caller,
        call: Call,
        facts: Facts,
        check: Callable[[Snapshot], Awaitable[Errand]],
        client: Client,
    ) -> Whole | None:
        with self.pipeline.stage(facts, Stage.VALIDATE):
            errand = await check(snapshot)
        facts.model, facts.items = errand.served.model.name, 1
        journey = Journey(snapshot, caller, call, facts, errand)
        meters = meters_of(snapshot, caller, facts.endpoint, facts.model, call.client)
        meters += await self.budgets.meters(snapshot, caller)
        async with self.admission.reserve(meters, facts) as quota:
            with self.pipeline.stage(facts, Stage.PLAN):
                stored = await self._stored(journey)
            if stored is not None:
                quota.record(*journey.found(stored))
                return page(stored)
            with self.pipeline.stage(facts, Stage.ADMIT):
                await self._cover(journey, quota, meters)
            with self.pipeline.stage(facts, Stage.DISPATCH):
                return await self._travel(journey, quota, client)

    async def _stored(self, journey: Journey) -> Answer | None:
        errand, said, secret = journey.errand, journey.call.directives, journey.snapshot.secret
        found = await self.pages.find(errand.job, journey.caller, secret, said) if errand.storable else None
        if found is None and said.only_if_cached:
            raise GatewayError(Code.SERVICE_TIMEOUT, "Not cached, and only-if-cached was asked for")
        return found

    async def _cover(self, journey: Journey, quota: Reservation, meters: Sequence[Meter]) -> None:
        """Reserve what the call may cost: its prompt, and as much of an answer as it asks for."""
        errand, prompt = journey.errand, 0
        if errand.prompt:
            journey.estimate = await self.estimator.estimate(errand.job, errand.served.model, (0,))
            prompt = journey.estimate.tokens[0]
        tokens = prompt + errand.most
        if errand.guess:  # a guess is no reason to refuse what nobody knows to be too much
            windows = [meter.limits.tokens for meter in meters if meter.scope is not Scope.BUDGET]
            tokens = max(prompt, min([tokens, *(window for window in windows if window is not None)]))
        journey.tokens = tokens
        await quota.cover(tokens, tokens, nanos(journey.price, tokens))

    async def _travel(self, journey: Journey, quota: Reservation, client: Client) -> Whole | None:
        """The exchange; whatever ends it, what it cost is recorded before the reservation settles."""
        journey.facts.misses = 1
        try:
            async with self.opener.opened(self._passage(journey)) as flow:
                try:
                    return await self._pass_on(journey, quota, flow, client)
                finally:
                    flow.tokens = journey.spent() if flow.status == OK else 0
        except BaseException as error:
            # What failed before the client had any of it costs nothing; who goes away pays for what was begun.
            if journey.begun or (journey.asked and isinstance(error, asyncio.CancelledError)):
                quota.record(*journey.settled())
            raise

    def _passage(self, journey: Journey) -> Passage:
        caller, call, errand = journey.caller, journey.call, journey.errand

        def sent() -> None:
            journey.asked = True

        order = Order(
            journey.snapshot,
            errand.served,
            errand.job,
            caller,
            call.deadline,
            lambda _: journey.tokens,
            _kept_by_nobody,
            lane=call.lane,
            passed=caller.credential,
            timeout=call.timeout,
            sent=sent,
            trace=journey.facts.trace,
        )
        return Passage(order, journey.tokens, errand.exchange, errand.keeps, errand.blamed)

    async def _pass_on(self, journey: Journey, quota: Reservation, flow: Flow, client: Client) -> Whole | None:
        errand = journey.errand
        headers = {name: value for name, value in flow.headers.items() if name in errand.hands_on}
        kind = flow.headers.get("content-type", "").partition(";")[0].strip().lower()
        if flow.status == OK and kind == EVENTS:
            quota.show()
            journey.begun = True
            await client.begin(headers)
            await pass_on(flow, journey.errand.gauge, client)
            self._settle(journey, quota)
            return None
        body = await read(flow)
        if flow.status != OK:
            return Whole(flow.status, headers, body)
        if not errand.gauge.whole(body, flow.headers):
            raise service_unavailable("The backend's answer was not usable")
        tokens = self._settle(journey, quota)
        stored = errand.storable and await self.pages.remember(
            errand.job,
            journey.caller,
            journey.snapshot.secret,
            journey.call.directives,
            body,
            headers.get("content-type", ""),
            tokens,
        )
        return Whole(flow.status, headers, body, stored=stored)

    def _settle(self, journey: Journey, quota: Reservation) -> int:
        """The answer is whole: what it cost, which teaches the next estimates."""
        charge, *amounts = journey.settled()
        quota.record(charge, *amounts)
        counted = journey.errand.gauge.prompt
        if journey.estimate is not None and counted is not None:
            self.estimator.learn(journey.estimate, Fresh({0: Answer(Shape.VERBATIM, b"", 0, counted)}))
        return charge.upstream


async def _kept_by_nobody(_: object) -> None:
    """What passes through is no answer to a unit."""
