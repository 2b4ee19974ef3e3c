"""P: a large embeddings reply as parts that are there already, so that what is sent is not copied once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.endpoints.embeddings_reply import before

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

PIECE_BYTES = 524_288
"""Of a piece, about: of vectors whose JSON is still to be made so many take one or two milliseconds."""


class Piece(NamedTuple):
    """A stretch of a reply: its parts, their bytes together, and the index of the first vector that comes after it."""

    parts: tuple[bytes, ...]
    size: int
    upto: int


def parted(begun: bytes, rows: Iterable[bytes], first: int = 0) -> Generator[Piece]:
    """The bytes of embeddings_reply.closed, of JSON vectors at least one, a piece made when it is asked for.

    `begun` is what stands before the vector at `first`, where an earlier piece ended.
    """
    parts, size, index = [begun], len(begun), first
    for vector in rows:
        introduction = before(index)
        parts += (introduction, vector)
        size += len(introduction) + len(vector)
        index += 1
        if size >= PIECE_BYTES:
            yield Piece(tuple(parts), size, index)
            parts, size = [], 0
    end = b"}]}"
    yield Piece((*parts, end), size + len(end), index)
