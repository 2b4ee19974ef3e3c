"""C: whole answers of others, kept for minutes: found and remembered by all that can change them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.plan.cache_key import keys_of, narrower
from gateway.plan.origin import origin
from gateway.vocabulary import Answer, CacheScope, Shape

if TYPE_CHECKING:
    from gateway.ports import AnswerStore, Clock
    from gateway.vocabulary import Caller, Directives, ItemKey, Job

SECONDS = 270.0
"""A store spreads lifetimes by a tenth, and none is to be longer than five minutes."""

LARGEST = 4_194_304
"""Bytes of an answer; a larger one is asked for again."""


class Pages:
    """One for a worker. A store that fails is an empty one. Scope `shared` is the org's here: pages may be private."""

    def __init__(self, store: AnswerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def find(self, job: Job, caller: Caller, secret: bytes, directives: Directives) -> Answer | None:
        """What is remembered, if it is young enough for the caller."""
        if not _may(caller, directives) or directives.no_cache:
            return None
        (answer,) = await self._store.get(_keys(job, caller, secret, directives))
        oldest = 0 if directives.max_age is None else self._clock.epoch() - directives.max_age
        return None if answer is None or answer.made < oldest else answer

    async def remember(  # noqa: PLR0913, PLR0917 - what is kept, and all that tells whose it is
        self, job: Job, caller: Caller, secret: bytes, directives: Directives, body: bytes, kind: str, tokens: int
    ) -> bool:
        """Keep a body with its content type and what it cost; whether it may be kept."""
        if not _may(caller, directives) or len(body) > LARGEST:
            return False
        made, whose = self._clock.epoch(), origin(job.model, caller.tenant)
        answer = Answer(Shape.VERBATIM, body, 0, tokens, kind.encode("ascii", "replace"))
        answer = replace(answer, made=made, origin=whose)
        await self._store.put([(key, answer) for key in _keys(job, caller, secret, directives)])
        return True


def _may(caller: Caller, directives: Directives) -> bool:
    return caller.cache_scope is not CacheScope.OFF and not directives.no_store


def _keys(job: Job, caller: Caller, secret: bytes, directives: Directives) -> tuple[ItemKey, ...]:
    return keys_of(job, caller, secret, directives.salt, narrower(caller.cache_scope, CacheScope.ORG))
