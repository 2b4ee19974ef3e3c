"""C: canaries: one text that all backends of a model revision embed once an hour, to find one of another space."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.backends.dialect import OutcomeKind
from gateway.dispatch.canary import TEXT, hour, judge
from gateway.dispatch.order import Order, wants
from gateway.dispatch.sender import parcel
from gateway.dispatch.station import LateError
from gateway.errors import StoreError
from gateway.vocabulary import Caller, Facts, Item, Job, Lane, Limits, Shape, nanos

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.config.snapshot import Route, Served, Snapshot
    from gateway.dispatch.fleet import Fleet
    from gateway.dispatch.sender import Sender
    from gateway.ports import Canaries, Clock, Observer
    from gateway.vocabulary import Answer

LOOK_SECONDS = 60.0
"""How often a worker looks whether a canary is due, and what others have found."""

TENANT: Final = "_canary"
"""Who canaries are accounted to: no tenant of a configuration can be called that."""

_CALLER = Caller(TENANT, TENANT, "", TENANT, Limits(None, None, None))
_TOKENS = 64
"""More than any tokenizer makes of the text."""


class DriftWatch:
    """One for a worker. Of all workers one sends a revision's canary each hour; all keep to what it found.

    A backend that is odd gets no calls for the revision until a later canary finds it well; the others go on. `count`
    gets what a canary cost, for the ledger.
    """

    def __init__(  # noqa: PLR0913 - the composition root hands over each part by name, once
        self,
        *,
        sender: Sender,
        fleet: Fleet,
        canaries: Canaries,
        snapshot: Callable[[], Snapshot],
        clock: Clock,
        observer: Observer,
        count: Callable[[Facts], None],
    ) -> None:
        self._sender = sender
        self._fleet = fleet
        self._canaries = canaries
        self._snapshot = snapshot
        self._clock = clock
        self._observer = observer
        self._count = count

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Send the canaries that are due and nobody else sends, and heed what is known of all the others."""
        snapshot = self._snapshot()
        several = _several(snapshot)
        self._fleet.forget_drift({served.model.revision for served in several})
        for served in several:
            try:
                # Another set of backends is worth a canary of its own: a new one is not trusted for an hour.
                name = " ".join([served.model.revision, *sorted(route.backend for route in served.routes)])
                if await self._canaries.claim(name, hour(self._clock.epoch())):
                    await self._send(snapshot, served)
                self._fleet.drift(served.model.revision, await self._canaries.odd(served.model.revision))
            except StoreError:
                self._observer.store_failure("canary")

    async def _send(self, snapshot: Snapshot, served: Served) -> None:
        found = await asyncio.gather(*[self._ask(snapshot, served, route) for route in served.routes])
        answers = {route.backend: answer for route, answer in zip(served.routes, found, strict=True) if answer}
        revision = served.model.revision
        reference = await self._canaries.reference(revision)
        verdict = judge({name: answer.payload for name, answer in answers.items()}, reference)
        if verdict.remember is not None:
            kept = await self._canaries.remember(revision, verdict.remember)
            verdict = judge({name: answer.payload for name, answer in answers.items()}, kept)
        for odd in verdict.odd:
            self._observer.upstream_drifted(odd.backend, revision, odd.reason.value, guessed=verdict.guessed)
        if verdict.drifted:
            self._observer.upstream_drifted("", revision, "all", guessed=False)
        # One that did not answer stays what it was found to be.
        before = await self._canaries.odd(revision)
        silent = {route.backend for route in served.routes} - answers.keys()
        await self._canaries.publish(revision, {odd.backend for odd in verdict.odd} | (before & silent))

    async def _ask(self, snapshot: Snapshot, served: Served, route: Route) -> Answer | None:
        """One backend's vector; None where it has none now: its breaker knows of that."""
        order = _order(snapshot, served, route, self._clock.monotonic())
        try:
            outcome = await self._sender.send(parcel(wants(order, (0,))))
        except LateError:
            return None
        if outcome.kind is not OutcomeKind.ANSWERED:
            return None
        self._count(_facts(snapshot, served, outcome.tokens))
        return outcome.answers[0]


def _several(snapshot: Snapshot) -> Sequence[Served]:
    """Models that embed and have several backends, each once."""
    if snapshot.passthrough is not None:
        return ()
    distinct = {served.model.revision: served for served in snapshot.served.values()}
    return [served for served in distinct.values() if len(served.routes) > 1 and served.model.shape is Shape.DENSE]


def _order(snapshot: Snapshot, served: Served, route: Route, now: float) -> Order:
    """A call for one backend alone, with a revision of its own: what is found of the real one is not asked about it."""
    job = Job(
        endpoint="embeddings",
        model=served.model.name,
        revision=f"canary of {served.model.revision}",
        units=((Item.text(TEXT),),),
        shape=Shape.DENSE,
        parameters=(),
        presentation=None,
        storable=False,
    )
    timeout = snapshot.config.backends[route.backend].timeout
    alone = replace(served, routes=(route,))
    return Order(snapshot, alone, job, _CALLER, now + timeout, _tokens, _nothing, Lane.INTERACTIVE, timeout=timeout)


def _tokens(positions: Sequence[int]) -> int:
    return _TOKENS * len(positions)


async def _nothing(_: Mapping[int, Answer]) -> None:
    """A canary is kept by nobody."""


def _facts(snapshot: Snapshot, served: Served, tokens: int) -> Facts:
    facts = Facts("embeddings", "canary", served.model.name, TENANT, key_id=TENANT, items=1, misses=1)
    facts.upstream_tokens = facts.paid_tokens = facts.reported_tokens = tokens
    facts.nanos = nanos(snapshot.price(TENANT, served.model), tokens)
    return facts
