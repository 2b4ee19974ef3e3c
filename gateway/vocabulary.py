"""P: the nouns every stage speaks: Call, Caller, Job, Unit, ItemKey, Answer, Charge, Plan, Facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Json: TypeAlias = Any
"""A decoded JSON value. `Any`, because JSON is checked at the edge and typed from there on."""

FLOAT_BYTES = 4
"""Vectors are little-endian float32 everywhere between a backend's answer and ours."""

SCORE_BYTES = 8
"""Relevance scores are little-endian float64, so that a score survives the store digit for digit."""


class Stage(StrEnum):
    """The stages of a request; the same words are modules, metric labels, log fields and dashboard panels."""

    EDGE = "edge"
    AUTHENTICATE = "authenticate"
    VALIDATE = "validate"
    ADMIT = "admit"
    PLAN = "plan"
    DISPATCH = "dispatch"
    ASSEMBLE = "assemble"
    SETTLE = "settle"


class Modality(StrEnum):
    """What kind of thing an item is; the words are the contract's field names (`{"image": …}`)."""

    TEXT = "text"
    IMAGE = "image"
    PDF = "pdf"
    VIDEO = "video"
    AUDIO = "audio"
    GROUP = "content"


class Shape(StrEnum):
    """What an answer's payload holds.

    DENSE: rows of `width` float32 values, one row for a single input, one row an input for a list answered as one.
    MULTI: one row of `width` float32 values a token; `extra` may hold the JSON list of tokens.
    SPARSE: the JSON object token → weight.
    SCORE: one float64 (relevance of one document).
    RANKING: JSON list of `{index, relevance_score, embedding?}` over the whole ordered list.
    VERBATIM: the upstream's `data` (or `results`) as JSON, for combinations that are not taken apart.
    """

    DENSE = "dense"
    MULTI = "multi"
    SPARSE = "sparse"
    SCORE = "score"
    RANKING = "ranking"
    VERBATIM = "verbatim"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of content: its modality and the text, URL, base64 or data URI that the client sent."""

    modality: Modality
    value: str


@dataclass(frozen=True, slots=True)
class Item:
    """One input or document. A GROUP has several ordered parts and one vector; every other item has one part."""

    modality: Modality
    parts: tuple[Part, ...]

    @classmethod
    def text(cls, value: str) -> Item:
        """An item that is one plain text."""
        return cls(Modality.TEXT, (Part(Modality.TEXT, value),))


Unit: TypeAlias = tuple[Item, ...]
"""What is answered, stored and paid for as one: a single item, or a whole list where items depend on each other."""


@dataclass(frozen=True, slots=True)
class Job:
    """A validated request, split into what changes the answer and how the answer is to be shown.

    Everything but `presentation` is part of each unit's identity (DESIGN rule 4); a backend is asked with exactly
    these values. `parameters` are sorted by name and hold JSON scalars only; absent means not sent upstream.
    """

    endpoint: str
    model: str
    revision: str
    units: tuple[Unit, ...]
    shape: Shape
    parameters: tuple[tuple[str, str | int | bool], ...]
    presentation: object
    query: str | None = None
    whole: bool = False
    storable: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def item_count(self) -> int:
        """How many inputs or documents the client sent."""
        return sum(len(unit) for unit in self.units)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one unit got: payload in its stored form, values a row, tokens it costs whoever is first to ask."""

    shape: Shape
    payload: bytes
    width: int
    tokens: int
    extra: bytes = b""

    @property
    def rows(self) -> int:
        """Vectors in a DENSE or MULTI payload."""
        return len(self.payload) // (FLOAT_BYTES * self.width) if self.width else 0


@dataclass(frozen=True, slots=True)
class ItemKey:
    """Where a unit's answer is stored (XXH3-128) and what proves that it is this unit's (keyed BLAKE2b)."""

    address: bytes
    proof: bytes


class CacheScope(StrEnum):
    """Who may be answered from what a tenant paid for."""

    OFF = "off"
    TENANT = "tenant"
    ORG = "org"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Limits:
    """A tier's limits a minute (`None` = unlimited)."""

    requests: int | None
    tokens: int | None
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant behind a key, never the key itself."""

    tenant: str
    org: str
    tier: str
    key_id: str
    limits: Limits
    cache_scope: CacheScope = CacheScope.ORG


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as the edge hands it over. `credentials` is the raw Authorization header, never logged.

    `read` gives the body's bytes and is called only for a caller that is known, so that nobody else can make us hold
    one; it raises GatewayError for bodies we do not take. `deadline` is in Clock.monotonic() seconds.
    """

    read: Callable[[], Awaitable[bytes]]
    credentials: str | None
    client: str
    request_id: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known and what must be asked, by unit position.

    `missing` holds the first position of each distinct unknown unit, in order; `twins` maps every later copy of a
    unit to its first position. `storable` says whether fresh answers may be remembered.
    """

    keys: tuple[ItemKey, ...]
    stored: Mapping[int, Answer]
    missing: tuple[int, ...]
    twins: Mapping[int, int] = field(default_factory=dict)
    storable: bool = True

    def complete(self, fresh: Mapping[int, Answer]) -> tuple[Answer, ...]:
        """Every unit's answer in the order asked; `fresh` holds one answer for each position in `missing`."""
        known = {**self.stored, **fresh}
        return tuple(known[self.twins.get(position, position)] for position in range(len(self.keys)))


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request cost: tokens reported to the client, and tokens that a backend really counted for it."""

    reported: int
    upstream: int


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a tenant's windows in this minute (`None` = unlimited)."""

    requests: int | None
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets on success: the body's bytes and the facts behind it.

    `hits` were stored, `misses` were asked, `duplicates` are copies of another input in the same list.
    """

    body: bytes
    hits: int = 0
    misses: int = 0
    duplicates: int = 0
    stored: bool = False
    bypassed: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Facts:
    """What happened to one request, filled in stage by stage; the Observer alone turns it into telemetry."""

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
    remaining: Remaining | None = None
    stages: list[tuple[Stage, float]] = field(default_factory=list)
