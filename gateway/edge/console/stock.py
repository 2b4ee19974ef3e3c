"""P: what the cache page asks of a cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Room:
    """The store as a server: keys of all kinds, bytes in use and at most (0: no bound), what it does when full.

    `evicted` and `expired` keys are counted since the server started.
    """

    keys: int
    used: int
    most: int
    policy: str
    evicted: int
    expired: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is stored of one model; bytes are of names and values, without the store's own overhead."""

    model: str
    entries: int
    bytes: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything stored, by model, the largest first; `oldest` and `newest` in seconds since 1970."""

    shelves: Sequence[Shelf]
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, slots=True)
class Purged:
    """Entries removed, and those that were kept because they do not say whose they are."""

    entries: int
    unnamed: int


class Stock(Protocol):
    """The cache of all gateways on a store. Every method raises StoreError."""

    async def room(self) -> Room | None:
        """How full the store is; None where it is several servers."""
        ...

    async def contents(self) -> Contents:
        """Goes through every entry: seconds for a million."""
        ...

    async def purge(self, model: str, tenant: str, before: int | None) -> Purged:
        """Remove what fits all conditions that are given; everything without any."""
        ...
