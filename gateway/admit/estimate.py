"""P: how many tokens to reserve for a unit before anybody has counted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.tokens.bound import text_bound, utf8_length
from gateway.vocabulary import Modality

if TYPE_CHECKING:
    from gateway.vocabulary import Item, Part, Unit

RERANK = "rerank"

PAIR_TOKENS = 4
"""Special tokens around a query and a document that are read together."""

MEDIA_TOKENS = 8_192
"""Reserved for an image, PDF, video or audio: what the smallest multimodal context holds, so that one picture does
not use up a free minute on a model with a long context. Settlement charges what is more."""


def estimate(unit: Unit, query: str | None, context_length: int, endpoint: str) -> int:
    """Tokens to reserve for one unit.

    For texts a safe upper bound: bytes + 2, at most `context_length`, a text; for `rerank` the query's bytes + the
    document's bytes + 4 a pair, not cut at the context, since rerankers read long documents in overlapping pieces.
    Anything else counts MEDIA_TOKENS, at most `context_length`.
    """
    if endpoint == RERANK:
        asked = utf8_length(query or "")
        return sum(asked + PAIR_TOKENS + _document(item, context_length) for item in unit)
    return sum(_item(item, context_length) for item in unit)


def _item(item: Item, context_length: int) -> int:
    return min(sum(_part(part, context_length) for part in item.parts), context_length)


def _document(item: Item, context_length: int) -> int:
    return sum(
        utf8_length(part.value) if part.modality is Modality.TEXT else min(MEDIA_TOKENS, context_length)
        for part in item.parts
    )


def _part(part: Part, context_length: int) -> int:
    if part.modality is Modality.TEXT:
        return text_bound(part.value, context_length)
    return min(MEDIA_TOKENS, context_length)
