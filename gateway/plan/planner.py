"""C: which units are stored, which are copies of each other, and which must be asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.errors import Code, GatewayError, service_unavailable
from gateway.plan.cache_key import key_maker
from gateway.plan.derive import derive, is_source, source
from gateway.plan.origin import origin
from gateway.plan.promotion import Promotion
from gateway.turns import MANY, turn_over
from gateway.values import value
from gateway.vocabulary import CacheScope, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.plan.cache_key import KeyMaker
    from gateway.ports import AnswerStore, Clock, Sources, Trace, Votes
    from gateway.vocabulary import Answer, Caller, Directives, ItemKey, Job

_NONE: Mapping[int, Answer] = MappingProxyType({})


def arrange(keys: Sequence[ItemKey], found: Mapping[bytes, Answer], job: Job, *, storable: bool) -> Plan:
    """Sort a job's units into stored, missing and twins.

    `found` is keyed by proof. An answer of another shape than the job's is a miss.
    """
    first: dict[bytes, int] = {}
    stored: dict[int, Answer] = {}
    twins: dict[int, int] = {}
    missing: list[int] = []
    shape = job.shape
    for position, key in enumerate(keys):
        proof = key.proof
        original = first.setdefault(proof, position)
        if original != position:
            twins[position] = original
            continue
        answer = found.get(proof)
        if answer is not None and answer.shape is shape:
            stored[position] = answer
        else:
            missing.append(position)
    return Plan(tuple(keys), stored, tuple(missing), twins, storable=storable)


@value(frozen=True, slots=True)
class Inquiry:
    """What is asked of the cache: a job, for whom, and how far it may look.

    `scope` is the narrower of the caller's and the model's. `promote_after` is how many orgs must have computed an
    answer before scope `shared` gives it to others.
    """

    job: Job
    caller: Caller
    scope: CacheScope
    secret: bytes
    directives: Directives
    promote_after: int

    @property
    def storable(self) -> bool:
        """Whether the cache may know of it at all."""
        return self.job.storable and self.scope is not CacheScope.OFF and not self.directives.no_store

    @property
    def looks_abroad(self) -> bool:
        """Whether other orgs' answers are looked for; `only-if-cached` would tell the difference."""
        return self.scope is CacheScope.SHARED and not self.directives.only_if_cached

    def keys(self, job: Job, scope: CacheScope | None = None) -> tuple[ItemKey, ...]:
        """Keys of a job's units in a scope; by default in the caller's own, which for `shared` is its org's."""
        maker = self.maker(job, scope)
        keys: list[ItemKey] = []
        while not maker.extend(keys, job.units):
            pass
        return tuple(keys)

    async def keys_in_turns(self, job: Job, scope: CacheScope | None = None) -> tuple[ItemKey, ...]:
        """The same, while others run in between."""
        maker = self.maker(job, scope)
        keys: list[ItemKey] = []
        if job.whole and len(job.units[0]) >= MANY:  # one unit, so one key; digests let other threads run
            await asyncio.to_thread(maker.extend, keys, job.units)
        while not maker.extend(keys, job.units):
            await turn_over(MANY)
        return tuple(keys)

    def maker(self, job: Job, scope: CacheScope | None = None) -> KeyMaker:
        """What makes the keys of a job's units, as `keys`."""
        own = CacheScope.ORG if self.scope is CacheScope.SHARED else self.scope
        return key_maker(job, self.caller, self.secret, self.directives.salt, scope or own)


class Planner:
    """Asks the cache once a request, and remembers what was new."""

    def __init__(self, store: AnswerStore, votes: Votes, trace: Trace, clock: Clock, sources: Sources) -> None:
        self._store = store
        self._sources = sources
        self._promotion = Promotion(store, votes)
        self._trace = trace
        self._clock = clock

    async def plan(self, inquiry: Inquiry) -> Plan:
        """The plan for a job; a store that fails looks like an empty one."""
        job, directives = inquiry.job, inquiry.directives
        keys = await inquiry.keys_in_turns(job)
        if len(keys) >= MANY:
            await turn_over(MANY)
        if not inquiry.storable or directives.no_cache:
            return arrange(keys, {}, job, storable=inquiry.storable)
        self._trace.seen(keys)
        oldest = 0 if directives.max_age is None else self._clock.epoch() - directives.max_age
        plan = arrange(keys, await self._find(keys, oldest), job, storable=True)
        # Only now: a list that is wholly stored costs one look-up, and none where the process holds it.
        if plan.missing and (origins := source(job)) is not None:
            found = await self._find_units(plan, inquiry, origins, oldest)
            plan = knowing(plan, derived={at: derive(answer) for at, answer in found.items()}) if found else plan
        if inquiry.looks_abroad and plan.missing:
            found = await self._find_units(plan, inquiry, job, oldest, CacheScope.SHARED)
            plan = knowing(plan, foreign=found) if found else plan
            # From now on as old as this org's knowledge of it, or `max-age` would tell.
            await self._store.put(self._stamped(inquiry, plan, found))
        return plan

    async def remember(self, inquiry: Inquiry, plan: Plan, fresh: Mapping[int, Answer]) -> None:
        """Store fresh answers, so that the client's next call finds them. Best effort.

        A claim that is given back later is given back after that, so whoever asks next in another process has either
        the answer or to wait for it.
        """
        if not plan.storable or not fresh:
            return
        if is_source(inquiry.job):
            self._sources.made()
        entries = []
        positions = list(fresh)
        for start in range(0, len(positions), MANY):
            if start:
                await turn_over(start)
            entries += self._stamped(inquiry, plan, {at: fresh[at] for at in positions[start : start + MANY]})
            if not self._store.keep(entries[start:]):
                await self._store.put(entries[start:])
        if inquiry.scope is CacheScope.SHARED:
            job = inquiry.job
            units = replace(job, units=tuple([job.units[position] for position in fresh]))
            answers = [answer for _, answer in entries]
            abroad = dict(zip(await inquiry.keys_in_turns(units, CacheScope.SHARED), answers, strict=True))
            await self._promotion.computed(abroad, job.model, inquiry.caller.org, inquiry.secret, inquiry.promote_after)

    def _stamped(self, inquiry: Inquiry, plan: Plan, answers: Mapping[int, Answer]) -> list[tuple[ItemKey, Answer]]:
        made, whose = self._clock.epoch(), origin(inquiry.job.model, inquiry.caller.tenant)
        return [(plan.keys[position], answer.stamped(made, whose)) for position, answer in answers.items()]

    async def _find_units(
        self, plan: Plan, inquiry: Inquiry, job: Job, oldest: int, scope: CacheScope | None = None
    ) -> dict[int, Answer]:
        """Answers, by position, to what is missing, as `job` or another scope has them."""
        others = job
        if len(plan.missing) < len(job.units):
            others = replace(job, units=tuple([job.units[position] for position in plan.missing]))
        keys = await inquiry.keys_in_turns(others, scope)
        found = await self._find(keys, oldest)
        return {
            position: found[key.proof]
            for position, key in zip(plan.missing, keys, strict=True)
            if key.proof in found and found[key.proof].shape is job.shape
        }

    async def _find(self, keys: Sequence[ItemKey], oldest: int) -> dict[bytes, Answer]:
        """What is stored and was made at `oldest` or later, by proof."""
        distinct = {key.proof: key for key in keys}
        answers = await self._store.get(list(distinct.values()))
        return {
            proof: answer
            for proof, answer in zip(distinct, answers, strict=True)
            if answer is not None and answer.made >= oldest
        }


def knowing(plan: Plan, derived: Mapping[int, Answer] = _NONE, foreign: Mapping[int, Answer] = _NONE) -> Plan:
    """A plan that knows more."""
    known = {**plan.stored, **derived, **foreign}
    return replace(
        plan,
        stored=known,
        missing=tuple([position for position in plan.missing if position not in known]),
        derived=plan.derived | derived.keys(),
        foreign=plan.foreign | foreign.keys(),
    )


_NAMED = 20


def only_if_cached_error(plan: Plan) -> GatewayError:
    """The failure for `Cache-Control: only-if-cached` when something is not stored: 504 (RFC 9111 §5.2.1.7)."""
    wanted = [position for position in range(len(plan.keys)) if plan.twins.get(position, position) in plan.missing]
    more = f" and {len(wanted) - _NAMED} more" if len(wanted) > _NAMED else ""
    named = ", ".join(map(str, wanted[:_NAMED]))
    return GatewayError(Code.SERVICE_TIMEOUT, f"Not cached, and only-if-cached was asked for: inputs {named}{more}")


def complete(plan: Plan, fresh: Mapping[int, Answer]) -> tuple[Answer, ...]:
    """Every unit's answer in the order asked.

    Raises:
        GatewayError: SERVICE_UNAVAILABLE when vectors differ in length: stored and fresh ones are then of different
            spaces, and no list may mix them (DESIGN rule 7).
    """
    answers = plan.complete(fresh)
    if len({answer.width for answer in answers}) > 1:
        raise service_unavailable(
            "The backend answers with vectors of another length than it did before; "
            "its model needs a new 'revision' in the gateway's config",
            None,
        )
    return answers
