"""P: a text → chunks: whole blocks where they fit, else sentences or lines side by side, else parts of them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.segmenter.blocks import blocks, lines
from gateway.segmenter.sentences import parts, sentences

if TYPE_CHECKING:
    from gateway.segmenter.blocks import Block, Span
    from gateway.segmenter.positions import Units


def chunks(text: str, units: Units, limit: int, within: Span) -> list[Span]:
    """Where the chunks of `within` begin and end, in order.

    A chunk has at most `limit` UTF-16 units, or is one character. It begins with no white space and has what follows
    it, as far as there is room; what is in no chunk is white space.
    """
    found: list[Span] = []
    for block in blocks(text, *within):
        found += _cut(text, units, block, limit)
    return _with_space(units, found, limit, within[1])


def _cut(text: str, units: Units, block: Block, limit: int) -> list[Span]:
    if units.width(block.start, block.end) <= limit:
        return [(block.start, block.end)]
    pieces = (lines if block.by_lines else sentences)(text, block.start, block.end)
    fitting: list[Span] = []
    for piece in pieces:
        fitting += [piece] if units.width(*piece) <= limit else parts(text, units, piece, limit)
    return _packed(units, fitting, limit)


def _packed(units: Units, pieces: list[Span], limit: int) -> list[Span]:
    """As many neighbours in one as fit."""
    packed: list[Span] = []
    for start, end in pieces:
        if packed and units.width(packed[-1][0], end) <= limit:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    return packed


def _with_space(units: Units, spans: list[Span], limit: int, end: int) -> list[Span]:
    following = [*spans, (end, end)]
    return [(start, max(stop, units.reach(start, after, limit))) for (start, stop), (after, _) in pairwise(following)]
