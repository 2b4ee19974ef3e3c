"""C: the store of classifiers as requests see it: whose they are, what is ready in the process, who changes one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from gateway.classifiers.packing import unpacked
from gateway.errors import StoreError, resource_busy, resource_not_found, service_unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from gateway.classifiers.linear import Linear
    from gateway.ports import Classifier, Classifiers, Clock, Observer
    from gateway.tasks import TaskGroup

ROLE = "classifiers"
KIND = "Classifier"
_READY = 32
"""Classifiers whose weights a worker keeps ready."""

_RENEWALS = 3
"""How often a lock is renewed before it would end."""


class Shelf:
    """One for a worker. A store that fails is 503 for everybody who needs it."""

    def __init__(
        self, store: Classifiers, clock: Clock, tasks: TaskGroup, observer: Observer, lock_seconds: float
    ) -> None:
        self.store = store
        self._clock = clock
        self._tasks = tasks
        self._observer = observer
        self._seconds = lock_seconds
        self._ready: OrderedDict[str, tuple[int, Linear]] = OrderedDict()

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Turn a failure of the store into the client's. Raises GatewayError."""
        try:
            yield
        except StoreError:
            self._observer.store_failure(ROLE)
            raise service_unavailable("Classifiers are not available, as the store does not answer") from None

    async def own(self, identifier: str, tenant: str) -> Classifier:
        """A classifier that the tenant owns. Raises GatewayError: RESOURCE_NOT_FOUND, whoever else may own it."""
        with self.needed():
            found = await self.store.find(identifier)
        if found is None or found.tenant != tenant:
            raise resource_not_found(KIND, identifier)
        return found

    async def usable(self, identifier: str, tenant: str) -> Classifier:
        """A classifier that the tenant may use. Raises GatewayError: RESOURCE_NOT_FOUND."""
        with self.needed():
            found = await self.store.find(identifier)
        if found is None or not (found.is_public or found.tenant == tenant):
            raise resource_not_found(KIND, identifier)
        return found

    async def weights(self, classifier: Classifier) -> Linear:
        """The weights of a record that was read just now, or of the next version. Raises GatewayError."""
        version, ready = self._ready.get(classifier.id, (0, None))
        if ready is None or version != classifier.version:
            _, ready = await self.fresh(classifier)
        self._ready.move_to_end(classifier.id)
        return ready

    async def fresh(self, classifier: Classifier) -> tuple[Classifier, Linear]:
        """Record and weights as they are now. Raises GatewayError: RESOURCE_NOT_FOUND, SERVICE_UNAVAILABLE."""
        with self.needed():
            found = await self.store.load(classifier)
            if found is None:
                raise resource_not_found(KIND, classifier.id)
            try:
                linear = unpacked(found[1])
            except ValueError as error:
                raise StoreError("the weights of a classifier are damaged") from error
        self._ready[classifier.id] = (found[0].version, linear)
        if len(self._ready) > _READY:
            self._ready.popitem(last=False)
        return found[0], linear

    def used(self, classifier: Classifier) -> None:
        """Count a use, soon; one that the store does not hear of is not counted."""

        async def count() -> None:
            try:
                await self.store.use(classifier, self._clock.epoch())
            except StoreError:
                self._observer.store_failure(ROLE)

        self._tasks.spawn(count(), "count a classifier's use")

    @asynccontextmanager
    async def locked(self, classifier: Classifier) -> AsyncIterator[None]:
        """Nobody else changes it during the block. The lock of a process that dies ends by itself.

        What makes changes safe is their version; the lock spares whoever comes second the cost of learning in vain.

        Raises:
            GatewayError: CONFLICT_RESOURCE_BUSY, SERVICE_UNAVAILABLE.
        """
        token = self._clock.identifier()
        with self.needed():
            if not await self.store.lock(classifier, token, self._seconds):
                raise resource_busy(KIND, classifier.id)
        renewal = self._tasks.spawn(self._renew(classifier, token), "renew a classifier's lock")
        try:
            yield
        finally:
            renewal.cancel()
            # Not the client's to break off; and waited for, so that its next call finds the lock free.
            await asyncio.shield(self._tasks.spawn(self._unlock(classifier, token), "give a classifier's lock back"))

    async def _renew(self, classifier: Classifier, token: str) -> None:
        while True:
            await self._clock.sleep(self._seconds / _RENEWALS)
            try:
                await self.store.renew(classifier, token, self._seconds)
            except StoreError:
                self._observer.store_failure(ROLE)

    async def _unlock(self, classifier: Classifier, token: str) -> None:
        try:
            await self.store.unlock(classifier, token)
        except StoreError:
            self._observer.store_failure(ROLE)
