"""C: which units are stored, which are copies of each other, and which must be asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.errors import Code, GatewayError, service_unavailable
from gateway.plan.cache_key import keys_of
from gateway.plan.derive import derive, source
from gateway.vocabulary import CacheScope, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.ports import AnswerStore, Clock
    from gateway.vocabulary import Answer, Caller, Directives, ItemKey, Job


def arrange(keys: Sequence[ItemKey], found: Mapping[bytes, Answer], job: Job, *, storable: bool) -> Plan:
    """Sort a job's units into stored, missing and twins.

    `found` is keyed by proof. An answer of another shape than the job's is a miss.
    """
    first: dict[bytes, int] = {}
    stored: dict[int, Answer] = {}
    twins: dict[int, int] = {}
    missing: list[int] = []
    for position, key in enumerate(keys):
        original = first.setdefault(key.proof, position)
        if original != position:
            twins[position] = original
            continue
        answer = found.get(key.proof)
        if answer is not None and answer.shape is job.shape:
            stored[position] = answer
        else:
            missing.append(position)
    return Plan(tuple(keys), stored, tuple(missing), twins, storable=storable)


class Planner:
    """Asks the cache once a request, and remembers what was new."""

    def __init__(self, store: AnswerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def plan(self, caller: Caller, job: Job, secret: bytes, directives: Directives) -> Plan:
        """The plan for a job; a store that fails looks like an empty one."""
        keys = keys_of(job, caller, secret, directives.salt)
        storable = job.storable and caller.cache_scope is not CacheScope.OFF and not directives.no_store
        if not storable or directives.no_cache:
            return arrange(keys, {}, job, storable=storable)
        oldest = 0 if directives.max_age is None else self._clock.epoch() - directives.max_age
        plan = arrange(keys, await self._find(keys, oldest), job, storable=True)
        origin = source(job)
        if origin is None or not plan.missing:
            return plan
        # Only now: a list that is wholly stored costs one look-up, and none where the process holds it.
        others = replace(origin, units=tuple([job.units[position] for position in plan.missing]))
        other_keys = keys_of(others, caller, secret, directives.salt)
        found = await self._find(other_keys, oldest)
        derived = {
            position: derive(found[key.proof])
            for position, key in zip(plan.missing, other_keys, strict=True)
            if key.proof in found and found[key.proof].shape is job.shape
        }
        missing = tuple([position for position in plan.missing if position not in derived])
        return replace(plan, stored={**plan.stored, **derived}, missing=missing)

    async def _find(self, keys: Sequence[ItemKey], oldest: int) -> dict[bytes, Answer]:
        """What is stored and was made at `oldest` or later, by proof."""
        distinct = list({key.proof: key for key in keys}.values())
        answers = await self._store.get(distinct)
        return {
            key.proof: answer
            for key, answer in zip(distinct, answers, strict=True)
            if answer is not None and answer.made >= oldest
        }

    async def remember(self, plan: Plan, fresh: Mapping[int, Answer]) -> None:
        """Store fresh answers before the client has them, so that its next call finds them. Best effort."""
        if plan.storable and fresh:
            made = self._clock.epoch()
            entries = [(plan.keys[position], replace(answer, made=made)) for position, answer in fresh.items()]
            await self._store.put(entries)


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
