"""P: trained classifiers (ports.Classifiers) in dictionaries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports import Change, Classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class FakeClassifiers:
    """`now` is in seconds; `down` makes it a store that fails."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.down = False
        self.records: dict[str, tuple[Classifier, bytes]] = {}
        self.locks: dict[str, tuple[str, float]] = {}
        self._now = now

    async def find(self, identifier: str) -> Classifier | None:
        self._check()
        return self.records[identifier][0] if identifier in self.records else None

    async def load(self, classifier: Classifier) -> tuple[Classifier, bytes] | None:
        self._check()
        return self.records.get(classifier.id)

    async def owned(self, tenant: str) -> Sequence[Classifier]:
        self._check()
        found = [kept for kept, _ in self.records.values() if kept.tenant == tenant]
        return sorted(found, key=lambda kept: (kept.created, kept.id))

    async def add(self, classifier: Classifier, weights: bytes, most: int) -> bool:
        if classifier.id in self.records:
            raise StoreError("there is a classifier of that id already")
        if len(await self.owned(classifier.tenant)) >= most:
            return False
        self.records[classifier.id] = (classifier, weights)
        return True

    async def change(self, classifier: Classifier, weights: bytes) -> Change:
        self._check()
        if classifier.id not in self.records:
            return Change.GONE
        kept = self.records[classifier.id][0]
        if kept.version != classifier.version:
            return Change.STALE
        version = kept.version + 1
        changed = replace(
            kept,
            labels=classifier.labels,
            revision=classifier.revision,
            updated=classifier.updated,
            version=version,
            trainings=version,
        )
        self.records[classifier.id] = (changed, weights)
        return Change.DONE

    async def remove(self, classifier: Classifier) -> bool:
        self._check()
        return self.records.pop(classifier.id, None) is not None

    async def use(self, classifier: Classifier, at: int) -> None:
        self._check()
        if classifier.id in self.records:
            kept, weights = self.records[classifier.id]
            self.records[classifier.id] = (replace(kept, uses=kept.uses + 1, used=at), weights)

    async def lock(self, classifier: Classifier, token: str, seconds: float) -> bool:
        self._check()
        if classifier.id in self.locks and self.locks[classifier.id][1] > self._now():
            return False
        self.locks[classifier.id] = (token, self._now() + seconds)
        return True

    async def renew(self, classifier: Classifier, token: str, seconds: float) -> None:
        self._check()
        if self.locks.get(classifier.id, ("", 0.0))[0] == token:
            self.locks[classifier.id] = (token, self._now() + seconds)

    async def unlock(self, classifier: Classifier, token: str) -> None:
        self._check()
        if self.locks.get(classifier.id, ("", 0.0))[0] == token:
            del self.locks[classifier.id]

    def _check(self) -> None:
        if self.down:
            raise StoreError("the store is down")
