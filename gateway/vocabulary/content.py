"""P: what is asked and answered: items, jobs, answers."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from gateway.values import value

Json: TypeAlias = Any
"""A decoded JSON value. `Any`, because JSON is checked at the edge and typed from there on."""


TRAIN = "train"
"""Name of the endpoint that trains classifiers. Asked twice, a backend learns twice."""

FLOAT_BYTES = 4
"""Vectors are little-endian float32 everywhere between a backend's answer and ours."""


SCORE_BYTES = 8
"""Relevance scores are little-endian float64, so that a score survives the store digit for digit."""


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
    LABELS: JSON list of `{label, score}`, every label of a classification model, best first.
    VERBATIM: the upstream's `data` (or `results`) as JSON, for combinations that are not taken apart.
    """

    DENSE = "dense"
    MULTI = "multi"
    SPARSE = "sparse"
    SCORE = "score"
    RANKING = "ranking"
    LABELS = "labels"
    VERBATIM = "verbatim"


class Part(NamedTuple):
    """One piece of content: its modality and its text or URL; bytes are `Inline`.

    A tuple, as parts and items are made for each text of a list: a frozen dataclass takes three times as long.
    """

    modality: Modality
    value: str


class Inline(NamedTuple):
    """Content that came with the request: `value` is its base64, padded, in one line; `digest` SHA-256 of its bytes."""

    modality: Modality
    value: str
    digest: bytes


Piece: TypeAlias = Part | Inline


class Item(NamedTuple):
    """One input or document. A GROUP has several ordered parts and one vector; every other item has one part."""

    modality: Modality
    parts: tuple[Piece, ...]

    @classmethod
    def text(cls, value: str) -> Item:
        """An item that is one plain text."""
        return cls(Modality.TEXT, (Part(Modality.TEXT, value),))


Unit: TypeAlias = tuple[Item, ...]
"""What is answered, stored and paid for as one: a single item, or a whole list where items depend on each other."""


@value(frozen=True, slots=True)
class Job:
    """A validated request, split into what changes the answer and how the answer is to be shown.

    Everything but `presentation` is part of each unit's identity (DESIGN rule 4); a backend is asked with exactly
    these values. `parameters` are sorted by name and hold JSON scalars only; absent means not sent upstream.
    `labels`: the last items are the labels that a classification chooses between, and these are the sizes of their
    sets; other answers stand without them, so they are no part of an answer's identity.
    `iterations`: a training goes over its items so often. `backend`: the only one that can answer, as it keeps what the
    job is about; empty: each that serves the model.
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
    labels: tuple[int, ...] = ()
    iterations: int = 1
    backend: str = ""

    @property
    def times(self) -> int:
        """How often a backend's tokens are told and limited: a backend that trains counts its iterations itself."""
        return 1 if self.endpoint == TRAIN else self.iterations

    @property
    def item_count(self) -> int:
        """How many inputs or documents the client sent."""
        return sum(map(len, self.units)) - sum(self.labels)


@value(frozen=True, slots=True)
class Answer:
    """What one unit got: payload in its stored form, values a row, tokens it costs whoever is first to ask.

    `made` is when it was computed (seconds since 1970; 0 unknown), `micros` its share of the backend call's time in
    microseconds, `origin` who had it computed by which model (plan.origin). `fragments` keeps ready-to-send forms by
    presentation while the answer stays in the process.
    """

    shape: Shape
    payload: bytes
    width: int
    tokens: int
    extra: bytes = b""
    made: int = field(default=0, compare=False)
    micros: int = field(default=0, compare=False)
    origin: bytes = field(default=b"", compare=False)
    fragments: dict[object, bytes] = field(default_factory=dict, compare=False, repr=False)

    def stamped(self, made: int, origin: bytes) -> Answer:
        """The same, as it is kept: when and for whom it was made, and no forms."""
        return Answer(self.shape, self.payload, self.width, self.tokens, self.extra, made, self.micros, origin)

    def taking(self, micros: int) -> Answer:
        """The same, knowing how long it took."""
        return Answer(self.shape, self.payload, self.width, self.tokens, self.extra, self.made, micros, self.origin)

    @property
    def rows(self) -> int:
        """Vectors in a DENSE or MULTI payload."""
        return len(self.payload) // (FLOAT_BYTES * self.width) if self.width else 0


class ItemKey(NamedTuple):
    """Where a unit's answer is stored (XXH3-128) and what proves that it is this unit's (keyed BLAKE2b)."""

    address: bytes
    proof: bytes
