"""P: what the ledger counts, for whom, and in which portions it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS_PER_HOUR = 3_600


class Account(NamedTuple):
    """What one row of the ledger is about. `hour` is the UTC hour, counted since 1970."""

    hour: int
    tenant: str
    key_id: str
    model: str
    endpoint: str


class Tally(NamedTuple):
    """Sums over answered requests: tokens as reported and as paid upstream, money in nano-dollars.

    Saved is what stored, shared and repeated inputs would have cost at the same price.
    """

    requests: int = 0
    tokens: int = 0
    upstream_tokens: int = 0
    nanos: int = 0
    saved_tokens: int = 0
    saved_nanos: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.upstream_tokens + other.upstream_tokens,
            self.nanos + other.nanos,
            self.saved_tokens + other.saved_tokens,
            self.saved_nanos + other.saved_nanos,
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """All together."""
    return Tally(*(sum(amounts) for amounts in zip(Tally(), *tallies, strict=True)))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one writer counted in a stretch of time. Writer and sequence name it: however often sent, it counts once.

    A writer's sequences ascend from 1; the same name always has the same tallies.
    """

    writer: str
    sequence: int
    tallies: Mapping[Account, Tally]
