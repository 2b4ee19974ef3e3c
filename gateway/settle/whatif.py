"""P: what another lifetime or size of the cache would have hit, from a sampled trace of what was asked."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLED = 256
"""One address in so many is in the trace. All accesses to it are, so reuse within the sample is as in the whole, and
a cache of 1/256 of the size hits as the whole one would (spatial sampling: Waldspurger et al., SHARDS, FAST 2015)."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a cache of that lifetime and size would have hit; `entries` None is unlimited, `ratio` in [0, 1]."""

    ttl_seconds: float
    entries: int | None
    ratio: float


def hit_ratio(
    accesses: Sequence[tuple[float, bytes]], ttl_seconds: float, entries: int | None, *, sampled: int = SAMPLED
) -> float:
    """The share of accesses that a cache of `entries` would have answered; 0 for no accesses.

    `accesses` are seconds and address, in order of time. An entry lives `ttl_seconds` from when it was written; where
    room is short, the least recently used goes. `sampled`: one address in so many is in the trace (1 for all).
    """
    if not accesses:
        return 0.0
    room = len(accesses) if entries is None else max(1, round(entries / sampled))
    used: OrderedDict[bytes, None] = OrderedDict()
    written: OrderedDict[bytes, float] = OrderedDict()  # by time, since all live equally long: the front expires first
    hits = 0
    for now, address in accesses:
        while written and next(iter(written.values())) + ttl_seconds <= now:
            expired, _ = written.popitem(last=False)
            del used[expired]
        if address in used:
            used.move_to_end(address)
            hits += 1
            continue
        if len(used) == room:
            evicted, _ = used.popitem(last=False)
            del written[evicted]
        used[address] = None
        written[address] = now
    return hits / len(accesses)


def outlooks(
    accesses: Sequence[tuple[float, bytes]], ttls: Sequence[float], sizes: Sequence[int | None]
) -> tuple[Outlook, ...]:
    """One for each lifetime and size, lifetimes outermost."""
    return tuple(Outlook(ttl, size, hit_ratio(accesses, ttl, size)) for ttl in ttls for size in sizes)
