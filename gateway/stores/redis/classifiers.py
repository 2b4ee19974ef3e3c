"""E: trained classifiers in Redis (ports.Classifiers): a hash each, beside its tenant's others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import StoreError
from gateway.ports import Change, Classifier
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

MS = 1_000
_KNOWN_OWNERS = 4_096
_HEAD = ("fixed", "state", "version", "updated", "uses", "used")


class RedisClassifiers:
    """A tenant's records, ids and locks share a slot. A key apart says whose an id is: that never changes."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys
        self._owners: dict[str, str] = {}
        self._add = Script("classifier_add")
        self._change = Script("classifier_change")
        self._remove = Script("classifier_remove")
        self._use = Script("classifier_use")
        self._extend = Script("claim_extend")
        self._end = Script("claim_end")

    async def find(self, identifier: str) -> Classifier | None:
        """The record of that id. Raises StoreError."""
        tenant = await self._owner(identifier)
        return None if tenant is None else await self._head(tenant, identifier)

    async def load(self, classifier: Classifier) -> tuple[Classifier, bytes] | None:
        """The record and its weights, read at once. Raises StoreError."""
        name = self._keys.classifier(classifier.tenant, classifier.id)
        *head, weights = await self._line.ask("HMGET", name, *_HEAD, "weights")
        found = _read(classifier.tenant, classifier.id, head)
        return None if found is None else (found, bytes(weights or b""))

    async def owned(self, tenant: str) -> Sequence[Classifier]:
        """A tenant's own, oldest first. Raises StoreError."""
        listed = await self._line.ask("HKEYS", self._keys.classifiers(tenant))
        found = [await self._head(tenant, bytes(name).decode()) for name in listed]
        return sorted([entry for entry in found if entry], key=lambda entry: (entry.created, entry.id))

    async def add(self, classifier: Classifier, weights: bytes, most: int) -> bool:
        """Keep a new one, if there is room for it. Raises StoreError."""
        owner = self._keys.classifier_owner(classifier.id)
        # First of all: an owner without a record is nothing, but a record that nobody finds could not be removed.
        if not await self._line.ask("SET", owner, classifier.tenant, "NX"):
            raise StoreError("there is a classifier of that id already")
        kept = await self._add.run(
            self._line,
            (self._keys.classifiers(classifier.tenant), self._record(classifier)),
            (classifier.id, most, _fixed(classifier), _state(classifier), weights, classifier.created),
        )
        if not kept:
            await self._line.ask("DEL", owner)
        return bool(kept)

    async def change(self, classifier: Classifier, weights: bytes) -> Change:
        """Compare and set on the version. Raises StoreError."""
        arguments = (classifier.version, _state(classifier), weights, classifier.updated)
        return Change(bytes(await self._change.run(self._line, (self._record(classifier),), arguments)).decode())

    async def remove(self, classifier: Classifier) -> bool:
        """Forget it. Raises StoreError."""
        names = (self._keys.classifiers(classifier.tenant), self._record(classifier))
        removed = await self._remove.run(self._line, names, (classifier.id,))
        await self._line.ask("DEL", self._keys.classifier_owner(classifier.id))
        self._owners.pop(classifier.id, None)
        return bool(removed)

    async def use(self, classifier: Classifier, at: int) -> None:
        """Count a use. Raises StoreError."""
        await self._use.run(self._line, (self._record(classifier),), (at,))

    async def lock(self, classifier: Classifier, token: str, seconds: float) -> bool:
        """A key that holds the token and ends by itself. Raises StoreError."""
        return bool(await self._line.ask("SET", self._lock(classifier), token, "NX", "PX", int(seconds * MS)))

    async def renew(self, classifier: Classifier, token: str, seconds: float) -> None:
        """For another while, if it is ours. Raises StoreError."""
        await self._extend.run(self._line, (self._lock(classifier),), (token, int(seconds * MS)))

    async def unlock(self, classifier: Classifier, token: str) -> None:
        """Give it back, if it is ours. Raises StoreError."""
        await self._end.run(self._line, (self._lock(classifier),), (token,))

    async def _owner(self, identifier: str) -> str | None:
        tenant = self._owners.get(identifier)
        if tenant is None:
            found = await self._line.ask("GET", self._keys.classifier_owner(identifier))
            if found is None:
                return None
            if len(self._owners) >= _KNOWN_OWNERS:
                self._owners.clear()
            tenant = self._owners[identifier] = bytes(found).decode()
        return tenant

    async def _head(self, tenant: str, identifier: str) -> Classifier | None:
        found = await self._line.ask("HMGET", self._keys.classifier(tenant, identifier), *_HEAD)
        return _read(tenant, identifier, found)

    def _record(self, classifier: Classifier) -> str:
        return self._keys.classifier(classifier.tenant, classifier.id)

    def _lock(self, classifier: Classifier) -> str:
        return self._keys.classifier_lock(classifier.tenant, classifier.id)


def _fixed(classifier: Classifier) -> bytes:
    names = ("model", "access", "created", "backend")
    return orjson.dumps({name: getattr(classifier, name) for name in names})


def _state(classifier: Classifier) -> bytes:
    return orjson.dumps({"labels": classifier.labels, "revision": classifier.revision})


def _read(tenant: str, identifier: str, found: Sequence[Any]) -> Classifier | None:
    fixed, state, version, updated, uses, used = found
    if fixed is None:
        return None
    try:
        values: dict[str, Any] = {**orjson.loads(fixed), **orjson.loads(state)}
        values["labels"] = tuple(values["labels"])
        kept = Classifier(id=identifier, tenant=tenant, updated=int(updated), version=int(version), **values)
        return replace(kept, trainings=kept.version, uses=int(uses or 0), used=None if used is None else int(used))
    except (ValueError, KeyError, TypeError):
        raise StoreError("the record of a classifier is damaged") from None
