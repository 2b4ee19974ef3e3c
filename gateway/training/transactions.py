"""C: trainings and trained classifications as transactions (endpoints.transaction)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

import orjson

from gateway.classifiers.linear import WidthError, learned, untrained
from gateway.classifiers.packing import packed
from gateway.config.metering import FEW_SHOT
from gateway.endpoints.classify_reply import unit_rows
from gateway.endpoints.few_shot import few_shot_job, relayed_few_shot
from gateway.endpoints.train import check_modalities, relayed_training, training_job
from gateway.endpoints.transaction import Creation, FewShot, Transaction, Update
from gateway.errors import (
    Code,
    GatewayError,
    label_limit_exceeded,
    model_not_found,
    resource_busy,
    resource_limit_exceeded,
    resource_not_found,
    service_unavailable,
)
from gateway.ports import Change, Classifier
from gateway.training.shelf import KIND
from gateway.vocabulary import TRAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from gateway.classifiers.linear import Linear
    from gateway.config.snapshot import Served, Snapshot
    from gateway.ports import Clock
    from gateway.training.shelf import Shelf
    from gateway.vocabulary import Answer, Caller

_PURPOSE = b"gw-classifier"
_UNBOUNDED = 1 << 40

T = TypeVar("T")


class Run(Protocol):
    """Runs work that takes long beside the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """What the work returns."""
        ...


class TrainingDesk:
    """endpoints.transaction.Transactions. One for a worker; `run` takes the learning."""

    def __init__(self, shelf: Shelf, clock: Clock, run: Run) -> None:
        self._shelf = shelf
        self._clock = clock
        self._run = run

    @asynccontextmanager
    async def begin(
        self, pending: FewShot | Creation | Update, snapshot: Snapshot, caller: Caller
    ) -> AsyncIterator[Transaction]:
        """See Transactions.begin."""
        if isinstance(pending, FewShot):
            yield await self._use(pending, snapshot, caller)
        elif isinstance(pending, Creation):
            yield await self._creation(pending, snapshot, caller)
        else:
            found = await self._shelf.own(pending.classifier_id, caller.tenant)
            async with self._shelf.locked(found):
                yield await self._update(found, pending, snapshot, caller)

    async def _use(self, pending: FewShot, snapshot: Snapshot, caller: Caller) -> Transaction:
        found = await self._shelf.usable(pending.classifier_id, caller.tenant)
        served = _served(found, snapshot)

        async def commit(_: Sequence[Answer]) -> None:
            self._shelf.used(found)

        if found.backend:
            return Transaction(FEW_SHOT, relayed_few_shot(pending, served.model, found.backend), commit)
        linear = await self._shelf.weights(found)
        return Transaction(FEW_SHOT, few_shot_job(pending, served.model, linear), commit, divisible=True)

    async def _creation(self, pending: Creation, snapshot: Snapshot, caller: Caller) -> Transaction:
        _check_labels(set(pending.labels), caller)
        with self._shelf.needed():
            owned = await self._shelf.store.owned(caller.tenant)
        if len(owned) >= caller.classifiers:
            raise _too_many(caller)
        served, now = snapshot.served[pending.model.name], self._clock.epoch()
        model, labels = pending.model, tuple(dict.fromkeys(pending.labels))
        made = Classifier("", caller.tenant, model.name, model.revision, pending.access, labels, now, now)
        if served.relays:
            backend = served.routes[0].backend
            job = relayed_training(pending, model, backend)
            return Transaction(TRAIN, job, partial(self._remember, replace(made, backend=backend), caller))
        made = replace(made, id=self._identifier(snapshot.secret))
        job = training_job(pending, model, made.id, url_inputs=snapshot.config.cache.url_inputs)
        return Transaction(TRAIN, job, partial(self._learn_new, made, pending, caller))

    async def _learn_new(self, made: Classifier, pending: Creation, caller: Caller, answers: Sequence[Answer]) -> None:
        linear = await self._learned(untrained(answers[0].width), made, pending, answers)
        await self._add(made, packed(linear), caller.classifiers, caller)

    async def _remember(self, made: Classifier, caller: Caller, answers: Sequence[Answer]) -> None:
        """What a backend made is there, and is kept even if its tenant began several at once."""
        identifier = orjson.loads(answers[0].payload)["classifier_id"]
        await self._add(replace(made, id=identifier), b"", _UNBOUNDED, caller)

    async def _add(self, made: Classifier, weights: bytes, most: int, caller: Caller) -> None:
        with self._shelf.needed():
            if not await self._shelf.store.add(made, weights, most):
                raise _too_many(caller)

    async def _update(self, found: Classifier, pending: Update, snapshot: Snapshot, caller: Caller) -> Transaction:
        served = _served(found, snapshot)
        check_modalities(pending.items, served.model)
        linear = None
        if not found.backend:  # as it is now that nobody else changes it
            found, linear = await self._shelf.fresh(found)
        labels = tuple(dict.fromkeys((*found.labels, *pending.labels)))
        _check_labels(labels, caller)
        changed = replace(found, labels=labels, updated=self._clock.epoch())
        if linear is None:
            job = relayed_training(pending, served.model, found.backend)
            return Transaction(TRAIN, job, partial(self._change, changed, b""))
        job = training_job(pending, served.model, found.id, url_inputs=snapshot.config.cache.url_inputs)
        return Transaction(TRAIN, job, partial(self._learn_more, changed, linear, pending))

    async def _learn_more(
        self, changed: Classifier, linear: Linear, pending: Update, answers: Sequence[Answer]
    ) -> None:
        await self._change(changed, packed(await self._learned(linear, changed, pending, answers)), answers)

    async def _change(self, changed: Classifier, weights: bytes, _: Sequence[Answer]) -> None:
        with self._shelf.needed():
            outcome = await self._shelf.store.change(changed, weights)
        if outcome is Change.GONE:
            raise resource_not_found(KIND, changed.id)
        if outcome is Change.STALE:
            raise resource_busy(KIND, changed.id)

    async def _learned(
        self, start: Linear, classifier: Classifier, pending: Creation | Update, answers: Sequence[Answer]
    ) -> Linear:
        try:
            return await self._run(lambda: learned(start, unit_rows(answers), pending.labels, pending.iterations))
        except WidthError:
            raise _outgrown(classifier) from None

    def _identifier(self, secret: bytes) -> str:
        """A UUID that nobody can guess, which is all that protects a public one from strangers' use."""
        digest = blake2b(self._clock.identifier().encode(), digest_size=16, key=secret[:64], person=_PURPOSE)
        return str(UUID(bytes=digest.digest(), version=4))


def _served(found: Classifier, snapshot: Snapshot) -> Served:
    """Who embeds for a classifier.

    Raises:
        GatewayError: INPUT_MODEL_NOT_FOUND, SERVICE_UNAVAILABLE (its backend is not in the configuration any more),
            RESOURCE_NOT_FOUND (its model has another vector space now).
    """
    served = snapshot.served.get(found.model)
    if served is None:
        raise model_not_found(found.model)
    if found.backend and all(route.backend != found.backend for route in served.routes):
        raise service_unavailable("The backend that has this classifier does not serve its model any more", None)
    if not found.backend and found.revision != served.model.revision:
        raise _outgrown(found)
    return served


def _outgrown(found: Classifier) -> GatewayError:
    text = f"{KIND} '{found.id}' was trained on vectors of another revision of its model; train a new one"
    return GatewayError(Code.RESOURCE_NOT_FOUND, text)


def _check_labels(labels: Sequence[str] | set[str], caller: Caller) -> None:
    if len(labels) > caller.classifier_labels:
        raise label_limit_exceeded(len(labels), caller.classifier_labels)


def _too_many(caller: Caller) -> GatewayError:
    return resource_limit_exceeded(f"Your plan allows {caller.classifiers} classifiers; delete one first")
