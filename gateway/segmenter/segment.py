"""P: what a call of the segmenter wants → what it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.segmenter.chunks import chunks
from gateway.segmenter.positions import Units
from gateway.segmenter.tokens import encode, pairs, specials_among, spelled, without_specials

if TYPE_CHECKING:
    from gateway.segmenter.blocks import Span
    from gateway.segmenter.tokens import Vocabulary
    from gateway.vocabulary import Json

LONGEST_TEXT = 65_536
"""Characters of a call (the API says 64k)."""

DEFAULT_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One call. `head` and `tail` are numbers of tokens, and never both given."""

    content: str
    tokenizer: str
    return_tokens: bool = False
    return_chunks: bool = False
    max_chunk_length: int = DEFAULT_CHUNK
    head: int | None = None
    tail: int | None = None


def segment(wanted: Wanted, vocabulary: Vocabulary) -> dict[str, Json]:
    """The reply's fields: tokens of the whole text are counted, `head` or `tail` of it are shown and cut into chunks.

    Positions are UTF-16 offsets into the whole text. `tokens` has one list for each chunk, or one for everything.
    """
    text = wanted.content
    ids = encode(text, vocabulary)
    reply: dict[str, Json] = {"num_tokens": len(ids), "tokenizer": wanted.tokenizer, "usage": {"tokens": 0}}
    kept, within = _kept(wanted, ids, vocabulary)
    shows_tokens = wanted.return_tokens or kept is not ids
    if wanted.return_chunks:
        units = Units(text)
        spans = chunks(text, units, wanted.max_chunk_length, within)
        found = [text[start:end] for start, end in spans]
        reply["num_chunks"] = len(spans)
        reply["chunk_positions"] = [[units.at(start), units.at(end)] for start, end in spans]
        if shows_tokens:
            reply["tokens"] = [_shown(encode(chunk, vocabulary), vocabulary) for chunk in found]
        reply["chunks"] = found
    elif shows_tokens:
        reply["tokens"] = [_shown(kept, vocabulary)]
    if marks := specials_among(ids, vocabulary):
        reply["special_tokens"] = marks
    return reply


def _shown(ids: list[int], vocabulary: Vocabulary) -> Json:
    return pairs(without_specials(ids, vocabulary), vocabulary)


def _kept(wanted: Wanted, ids: list[int], vocabulary: Vocabulary) -> tuple[list[int], Span]:
    """The ids that are to be shown, and the whole characters that they spell."""
    text = wanted.content
    if wanted.head is not None:
        kept = ids[: wanted.head]
        return kept, (0, spelled(kept, vocabulary))
    if wanted.tail is not None:
        kept = ids[max(0, len(ids) - wanted.tail) :]
        return kept, (len(text) - spelled(kept, vocabulary), len(text))
    return ids, (0, len(text))
