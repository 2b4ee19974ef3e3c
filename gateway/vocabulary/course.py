"""P: what becomes of a request: plan, fresh answers, charge, savings, facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.errors import GatewayError
    from gateway.vocabulary.content import Answer, ItemKey
    from gateway.vocabulary.exchange import Remaining, Stage
    from gateway.vocabulary.tracing import RequestTrace


@value(frozen=True, slots=True)
class Plan:
    """What is known and what must be asked, by unit position.

    `missing` holds the first position of each distinct unknown unit, in order; `twins` maps every later copy of a
    unit to its first position. `storable` says whether fresh answers may be remembered. Of the stored ones, `derived`
    follow from another answer, and `foreign` were paid for by other orgs: nobody is to notice that.
    """

    keys: tuple[ItemKey, ...]
    stored: Mapping[int, Answer]
    missing: tuple[int, ...]
    twins: Mapping[int, int] = field(default_factory=dict)
    storable: bool = True
    derived: frozenset[int] = frozenset()
    foreign: frozenset[int] = frozenset()

    def complete(self, fresh: Mapping[int, Answer]) -> tuple[Answer, ...]:
        """Every unit's answer in the order asked; `fresh` holds one answer for each position in `missing`."""
        known = {**self.stored, **fresh} if fresh else self.stored
        positions: Iterable[int] = range(len(self.keys))
        if twins := self.twins:
            positions = [twins.get(position, position) for position in positions]
        return tuple(map(known.__getitem__, positions))


@value(frozen=True, slots=True)
class Fresh:
    """Answers that were not stored when the plan was made, by position.

    `shared` are the positions that somebody else's call in flight answered: nothing is paid for them here. `refused`
    are those that the backend refused for themselves, and why; they have no answer. Where they are left out
    (plan.partial), `places` tells where the others were.
    """

    answers: Mapping[int, Answer]
    shared: frozenset[int] = frozenset()
    refused: Mapping[int, GatewayError] = field(default_factory=dict)
    places: tuple[int, ...] = ()


@value(frozen=True, slots=True)
class Charge:
    """What a request cost: tokens reported to the client, and tokens that a backend really counted for it.

    `foreign` are those of answers that other orgs paid for; they count in the caller's window, lest it tells.
    """

    reported: int
    upstream: int
    foreign: int = 0


class Cause(StrEnum):
    """Why nothing had to be paid for an input."""

    STORED = "stored"
    DERIVED = "derived"
    PROMOTED = "promoted"
    PAIR = "pair"
    DUPLICATE = "duplicate"
    IN_FLIGHT = "in_flight"


@value(frozen=True, slots=True)
class Saving:
    """What one cause saved in one request: inputs, and the tokens, US dollars and seconds they first cost."""

    cause: Cause
    units: int
    tokens: int
    dollars: float
    seconds: float


@dataclass(slots=True)
class Facts:
    """What happened to one request, filled in stage by stage; the Observer alone turns it into telemetry.

    `estimated_tokens` were reserved for exactly what `upstream_tokens` then counted.
    `paid_tokens` and `nanos` are what it costs its tenant, `saved_tokens` and `saved_nanos` what it would have cost
    more (nano-dollars): what another org paid for costs its tenant as much, lest the ledger tells.
    `told` is a list where somebody wants to know what became of each input (plan.told).
    """

    endpoint: str
    request_id: str
    model: str = ""
    tenant: str = ""
    tier: str = ""
    key_id: str = ""
    items: int = 0
    hits: int = 0
    misses: int = 0
    duplicates: int = 0
    reported_tokens: int = 0
    upstream_tokens: int = 0
    estimated_tokens: int = 0
    paid_tokens: int = 0
    nanos: int = 0
    saved_tokens: int = 0
    saved_nanos: int = 0
    savings: tuple[Saving, ...] = ()
    remaining: Remaining | None = None
    stages: list[tuple[Stage, float]] = field(default_factory=list)
    trace: RequestTrace | None = None
    told: list[str] | None = None
