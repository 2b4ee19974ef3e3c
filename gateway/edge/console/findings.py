"""P: what the playground shows of an answer: how alike vectors are, the order of documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHADES = 5


@dataclass(frozen=True, slots=True)
class Likeness:
    """The cosine of each pair of vectors with its shade (0 to 4, of the highest), and the vectors' length."""

    cosines: Sequence[Sequence[tuple[float, int]]]
    dimensions: int


@dataclass(frozen=True, slots=True)
class Rank:
    """A document's place, where it was in the list that was sent (from 1), and its score."""

    place: int
    sent: int
    text: str
    score: float


def alike(content: Mapping[str, Any]) -> Likeness:
    """Of an embeddings answer."""
    vectors = np.array([entry["embedding"] for entry in content["data"]], dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    cosines = np.round(unit @ unit.T, 3).tolist()
    return Likeness([[(value, _shade(value)) for value in row] for row in cosines], vectors.shape[1])


def ranked(content: Mapping[str, Any], texts: Sequence[str]) -> list[Rank]:
    """Of a rerank answer, best first."""
    return [
        Rank(place, entry["index"] + 1, texts[entry["index"]], float(entry["relevance_score"]))
        for place, entry in enumerate(content["results"], 1)
    ]


def _shade(value: float) -> int:
    """Cosines of texts are between 0 and 1 as a rule."""
    return min(_SHADES - 1, max(0, int(value * _SHADES)))
