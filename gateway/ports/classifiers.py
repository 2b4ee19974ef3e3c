"""P: what trained classifiers need of a store: records of who owns them, versioned weights, a lock that ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Classifier:
    """What is known of a classifier; never an example.

    `tenant` owns it. `revision` is the vector space that it was trained in. `backend` has it, and `id` is that
    backend's own; empty: it was trained here. `version` grows with each training. `created`, `updated` and `used` are
    in seconds since 1970, `used` None before the first time; `trainings` and `uses` count.
    """

    id: str
    tenant: str
    model: str
    revision: str
    access: str
    labels: tuple[str, ...]
    created: int
    updated: int
    backend: str = ""
    version: int = 1
    trainings: int = 1
    uses: int = 0
    used: int | None = None

    @property
    def is_public(self) -> bool:
        """Whether everybody who has its id may use it."""
        return self.access == "public"


class Change(StrEnum):
    """What became of a change: DONE, STALE (somebody else's came first), GONE (there is no such classifier)."""

    DONE = "done"
    STALE = "stale"
    GONE = "gone"


class Classifiers(Protocol):
    """All tenants' classifiers. Every method raises StoreError when the store cannot answer."""

    async def find(self, identifier: str) -> Classifier | None:
        """The record of that id as it is now, whoever owns it."""
        ...

    async def load(self, classifier: Classifier) -> tuple[Classifier, bytes] | None:
        """The record as it is now and the weights of its version; None if it is gone."""
        ...

    async def owned(self, tenant: str) -> Sequence[Classifier]:
        """A tenant's own, oldest first."""
        ...

    async def add(self, classifier: Classifier, weights: bytes, most: int) -> bool:
        """Keep a new one; False, and nothing, if its tenant has `most` already."""
        ...

    async def change(self, classifier: Classifier, weights: bytes) -> Change:
        """Replace labels and weights if the version is still this record's, which then becomes the next."""
        ...

    async def remove(self, classifier: Classifier) -> bool:
        """Forget it; False if it was gone."""
        ...

    async def use(self, classifier: Classifier, at: int) -> None:
        """Count a use; one that is gone stays gone."""
        ...

    async def lock(self, classifier: Classifier, token: str, seconds: float) -> bool:
        """Become the only one who changes it, for that long at most; False if somebody else is."""
        ...

    async def renew(self, classifier: Classifier, token: str, seconds: float) -> None:
        """Keep the lock for another while, if it is still this token's."""
        ...

    async def unlock(self, classifier: Classifier, token: str) -> None:
        """Give the lock back, if it is still this token's."""
        ...
