"""P: WordPiece ids of a text → BM25 weights, of which the product of two texts' is their relevance."""

from __future__ import annotations

from collections import Counter
from math import log, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_K1 = 1.2
_B = 0.75
"""The customary values (Robertson & Zaragoza 2009, section 3.4)."""

_USUAL_LENGTH = 64
"""Tokens of a usual text: there is no corpus to measure."""

_FIRST_WORD = 1_996
"""Ids from here on are sorted by how frequent they are in English; below are special tokens, marks and letters."""

_LETTERS_AND_DIGITS = frozenset((*range(1_014, 1_024), *range(1_037, 1_063)))
_FIRST_UNCOMMON = 10.0
"""Rank from which on a word begins to tell something; damps the few that stand in every sentence."""


def rarity(token: int) -> float:
    """What an inverse document frequency would be: by Zipf's law it grows with the logarithm of a word's rank."""
    if token >= _FIRST_WORD:
        return log(1.0 + (token - _FIRST_WORD) / _FIRST_UNCOMMON)
    return 1.0 if token in _LETTERS_AND_DIGITS else 0.0


def weights(ids: Sequence[int]) -> Mapping[int, float]:
    """The weight of each distinct token, by rising id; of punctuation and special tokens there is none.

    A pair of texts has its BM25 score (with the rarity above) as the sum of products, because each of them carries the
    root of a token's rarity. Among documents a query's length is a constant factor, so it may be weighted as they are.
    """
    counts = Counter(token for token in ids if rarity(token) > 0.0)
    norm = _K1 * (1.0 - _B + _B * counts.total() / _USUAL_LENGTH)
    return {
        token: round(sqrt(rarity(token)) * count * (_K1 + 1.0) / (count + norm), 6)
        for token, count in sorted(counts.items())
    }
