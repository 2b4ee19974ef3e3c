"""C: texts that nobody has: those of one form that miss in the same moment travel together, each told by itself."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

from gateway.admit.reservation import Reservation, free_of_charge
from gateway.alarm import Alarm
from gateway.dispatch.flight import RefusedError
from gateway.errors import Code, GatewayError, internal_error, service_timeout
from gateway.fast.missed import Missed, as_one, concluded, covered
from gateway.fast.ongoing import closed_by_client
from gateway.pipeline import GRACE
from gateway.vocabulary import Item, Plan, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from gateway.dispatch.flight import Landing
    from gateway.fast.formed import Tell
    from gateway.fast.means import Means
    from gateway.fast.ongoing import Ongoing
    from gateway.vocabulary import Answer, Reply

    Found = Sequence[Answer | None]


AT_ONCE = 8
"""Answers that are sent in one turn of the event loop, about a millisecond, where a backend took SLOW seconds."""

SLOW = 0.02


class Misses:
    """One for a worker.

    A call for one text, which its limits let pass at once, takes no task: it is told by the landing of that
    text's flight. All of one form and one key that come in one turn of the event loop are one errand, so one claim, one
    call to the backend and one write, of which each has its share of the tokens. They wait for nothing that one by
    itself would not wait for; and what goes wrong for the whole of them is tried again for each.
    """

    def __init__(self, means: Means, alone: Callable[[Ongoing, Found, Tell], None]) -> None:
        """`alone` serves a call by itself, which must wait for more than its answer."""
        self._pipeline = means.pipeline
        self._leases = means.leases
        self._observer = means.observer
        self._clock = means.clock
        self._tasks = means.tasks
        self._alone = alone
        self._waiting: list[tuple[Ongoing, Found, Tell]] = []
        self._flying: set[Missed] = set()
        self._landings: deque[tuple[Missed, Landing]] = deque()
        self._alarm = Alarm(self._flying)

    def add(self, ongoing: Ongoing, found: Found, tell: Tell) -> None:
        """The store has answered, and not with all that is asked."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._leave)
        self._waiting.append((ongoing, found, tell))

    def _leave(self) -> None:
        """Those that came in one turn."""
        waiting, self._waiting = self._waiting, []
        groups: dict[Hashable, list[Missed]] = {}
        for ongoing, found, tell in waiting:
            try:
                missed = self._missed(ongoing, found, tell)
            except Exception as error:  # noqa: BLE001 - the border: a defect of ours is this call's alone
                free_of_charge(self._leases, ongoing.door)
                self._defect(ongoing, tell, error)
                continue
            if missed is None:
                self._alone(ongoing, found, tell)
            else:
                groups.setdefault((id(ongoing.form), ongoing.asker.caller.credential), []).append(missed)
        for group in groups.values():
            for part in parts(group, group[0].ongoing.form.together):
                try:
                    self._depart(part)
                except Exception as error:  # noqa: BLE001 - as above
                    self._grounded(part, error)

    def _missed(self, ongoing: Ongoing, found: Found, tell: Tell) -> Missed | None:
        """One whose text may be asked for now; None: it has to wait for something else, and nothing was done."""
        form, proof = ongoing.form, ongoing.keys[0].proof
        if ongoing.gone or len(ongoing.keys) > 1 or any(found) or self._pipeline.in_flight.refuses(proof):
            return None
        facts = form.facts(ongoing.asker.request_id, 1)
        quota = Reservation(self._leases, ongoing.meters, facts, ongoing.door)
        item = Item.text(ongoing.texts[0])
        estimate = covered(self._pipeline, ongoing, item, quota)
        if estimate is None:
            return None
        flying = self._pipeline.stage(facts, Stage.DISPATCH)
        return Missed(ongoing, found, tell, item, quota, estimate, flying, self._late)

    def _depart(self, group: Sequence[Missed]) -> None:
        """Ask for their texts, each of which is another."""
        work, plan, tokens = as_one(group)
        if len(group) > 1:  # one that went away would take the others' along
            _departed(group)
        errand = self._pipeline.errands.of(work, plan, tokens, partial(_departed, group))
        flights, mine = self._pipeline.in_flight.board(errand)
        until = asyncio.get_running_loop().time() + errand.deadline + GRACE - self._clock.monotonic()
        for at, missed in enumerate(group):
            flight = missed.flight = flights[at]
            missed.mine, missed.until = at in mine, until
            missed.ongoing.ends = partial(self._gone, missed)
            missed.flying.begin()
            self._flying.add(missed)
            flight.landing.add_done_callback(partial(self._came_down, missed))
        if until < self._alarm.rings:
            self._alarm.wind(until)

    def _grounded(self, group: Sequence[Missed], error: Exception) -> None:
        """A defect of ours: nobody is on the way."""
        for missed in group:
            self._flying.discard(missed)
            missed.ongoing.ends = None
            missed.quota.settle()
            self._defect(missed.ongoing, missed.tell, error)

    def _came_down(self, missed: Missed, landing: Landing) -> None:
        """A flight has landed, mostly among others."""
        if not self._landings:
            asyncio.get_running_loop().call_soon(self._answer)
        self._landings.append((missed, landing))

    def _answer(self) -> None:
        """Tell all; of those that waited long some, and the others after a turn of the event loop.

        Else all would be told in one go, would come again in one go, and do nothing but wait in between. Where a
        backend is quick there is no such time, and going together saves more.
        """
        waited = self._clock.monotonic() - self._landings[0][0].flying.started
        most = len(self._landings) if waited < SLOW else min(AT_ONCE, len(self._landings))
        answered: list[tuple[Missed, Reply]] = []
        try:
            for _ in range(most):
                missed, landing = self._landings.popleft()
                reply = self._landed(missed, landing)
                if reply is not None:
                    answered.append((missed, reply))
        finally:  # a defect of ours keeps nobody else waiting
            if self._landings:
                asyncio.get_running_loop().call_soon(self._answer)
            self._tell(answered)

    def _tell(self, answered: Sequence[tuple[Missed, Reply]]) -> None:
        """Tell those that have an answer, once the ledger has them."""
        try:
            self._pipeline.count(*[missed.facts for missed, _ in answered])
        except Exception as defect:  # noqa: BLE001 - as above; their answers are paid for
            self._observer.defect(answered[0][0].facts, defect)
        for missed, reply in answered:
            try:
                status = missed.tell(reply, missed.facts)
                self._observer.request(missed.facts, self._seconds(missed.ongoing), None, status)
            except Exception as defect:  # noqa: BLE001 - as above
                self._observer.defect(missed.facts, defect)

    def _landed(self, missed: Missed, landing: Landing) -> Reply | None:
        """A text has its answer; None: it has none, which was seen to."""
        if missed not in self._flying:
            return None
        self._over(missed)
        if (error := landing.exception()) is not None:
            self._failed(missed, cast("Exception", error))  # a flight crashes with no other
            return None
        answer, paid = landing.result()
        try:
            return concluded(self._pipeline, missed, answer, paid=paid)
        except Exception as defect:  # noqa: BLE001 - the border: a defect of ours becomes a 500 in the contract's shape
            self._defect(missed.ongoing, missed.tell, defect)
            return None

    def _failed(self, missed: Missed, error: Exception) -> None:
        """There is no answer: it is told why, or tries again where that says nothing of its own text."""
        if isinstance(error, RefusedError):
            self._end(missed, error.told.again())
        elif self._may_try_again(missed, error):
            missed.quota.uncover()
            self._alone(missed.ongoing, missed.found, missed.tell)
        elif isinstance(error, GatewayError):
            self._end(missed, self._pipeline.in_own_words(missed.ongoing.call(), error.again()))
        else:
            missed.quota.settle()
            self._defect(missed.ongoing, missed.tell, error)

    def _may_try_again(self, missed: Missed, error: Exception) -> bool:
        if missed.mine:  # one that was by itself is refused again without being asked
            return isinstance(error, GatewayError) and error.code is Code.INPUT_INVALID
        plan = Plan((missed.key,), {}, (0,))
        return self._pipeline.in_flight.may_take_over(error, missed.ongoing.call().deadline, plan)

    def _late(self, missed: Missed) -> None:
        """Its time is up."""
        self._over(missed)
        self._end(missed, service_timeout(missed.ongoing.call().timeout))

    def _gone(self, missed: Missed) -> None:
        """Its client went away before a backend was asked."""
        if missed in self._flying:
            self._over(missed)
            self._end(missed, closed_by_client())

    def _over(self, missed: Missed) -> None:
        """It waits no more."""
        self._flying.discard(missed)
        missed.ongoing.ends = None
        missed.flying.end()
        if missed.flight is not None:
            self._pipeline.in_flight.leave(missed.flight.crew)

    def _end(self, missed: Missed, failure: GatewayError) -> None:
        """Settle one that has failed, and tell it."""
        missed.quota.settle()
        self._tasks.spawn(self._refuse(missed, failure), "failed call")

    async def _refuse(self, missed: Missed, failure: GatewayError) -> None:
        facts, ongoing = missed.facts, missed.ongoing
        try:
            await self._pipeline.failed(ongoing.form.snapshot, ongoing.asker.caller, ongoing.call(), facts, failure)
        except GatewayError as instead:
            failure = instead
        status = missed.tell(failure, facts)
        self._observer.request(facts, self._seconds(ongoing), failure, status)

    def _defect(self, ongoing: Ongoing, tell: Tell, error: Exception) -> None:
        """A defect of ours, in what was settled."""
        facts = ongoing.facts()
        self._observer.defect(facts, error)
        failure = internal_error()
        self._observer.request(facts, self._seconds(ongoing), failure, tell(failure, facts))

    def _seconds(self, ongoing: Ongoing) -> float:
        return self._clock.monotonic() - ongoing.asker.started


def _departed(group: Sequence[Missed]) -> None:
    """A backend is being asked for their texts."""
    for missed in group:
        missed.ongoing.depart()


def parts(group: Sequence[Missed], most: int) -> list[list[Missed]]:
    """So many at a time, none of which wants what another of its part wants."""
    found: list[list[Missed]] = []
    left = group
    while left:
        part: dict[bytes, Missed] = {}
        rest: list[Missed] = []
        for missed in left:
            if len(part) < most and missed.key.proof not in part:
                part[missed.key.proof] = missed
            else:
                rest.append(missed)
        found.append(list(part.values()))
        left = rest
    return found
