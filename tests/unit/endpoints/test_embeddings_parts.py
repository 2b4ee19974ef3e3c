from __future__ import annotations

import numpy as np
import pytest

from gateway.endpoints import embeddings_parts
from gateway.endpoints.embeddings_parts import parted
from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, closed, each_vector, fragments, opening
from gateway.vocabulary import Answer, Shape

WIDTH = 64
PRESENTATIONS = [EmbeddingsPresentation(), EmbeddingsPresentation(("float", "binary"), keyed=True, dimensions=8)]


def answers(count: int) -> list[Answer]:
    rows = np.random.default_rng(3).standard_normal((count, WIDTH)).astype("<f4")
    return [Answer(Shape.DENSE, row.tobytes(), WIDTH, 1) for row in rows]


@pytest.mark.parametrize("presentation", PRESENTATIONS)
@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("count", [1, 2, 50, 2_100])
def test_pieces_are_the_reply_and_any_of_them_may_be_made_anew(
    count: int, *, made: bool, presentation: EmbeddingsPresentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings_parts, "PIECE_BYTES", 10_000)
    begun, found = opening("m") % (count, count), answers(count)
    whole = b"".join(closed(begun, fragments(answers(count), presentation)))
    if made:
        fragments(found, presentation)
    pieces = list(parted(begun, each_vector(found, presentation)))
    assert b"".join(part for piece in pieces for part in piece.parts) == whole
    assert [piece.size for piece in pieces] == [sum(map(len, piece.parts)) for piece in pieces]
    assert all(piece.size < 13_000 for piece in pieces)
    assert pieces[-1].upto == count
    for number, piece in enumerate(pieces[:-1]):
        rest = list(parted(b"", each_vector(found[piece.upto :], presentation), piece.upto))
        assert b"".join(rest[0].parts) == b"".join(pieces[number + 1].parts)
