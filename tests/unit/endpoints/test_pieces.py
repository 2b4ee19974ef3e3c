from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import orjson
import pytest

from gateway.endpoints import embeddings_reply
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.embeddings_reply import LARGE_BYTES, PIECE_BYTES, EmbeddingsPresentation
from gateway.endpoints.rerank import Rerank
from gateway.vocabulary import Answer, Item, Job, Shape

RANDOM = np.random.default_rng(7)
FORMS = [
    EmbeddingsPresentation(),
    EmbeddingsPresentation(types=("base64",)),
    EmbeddingsPresentation(types=("binary",), dimensions=8),
    EmbeddingsPresentation(types=("float", "base64", "ubinary"), keyed=True),
    EmbeddingsPresentation(dimensions=5, normalized=False),
]


def rows(count: int, width: int) -> bytes:
    return RANDOM.standard_normal((count, width)).astype("<f4").tobytes()


def answers(shape: Shape, count: int, each: int = 1, width: int = 16) -> list[Answer]:
    if shape is Shape.SPARSE:
        return [Answer(shape, b'{"cat":%d.5}' % number, 0, 1) for number in range(count)]
    if shape is Shape.VERBATIM:
        return [Answer(shape, b'[{"index":0,"embedding":[1.5]}]', 0, 1)]
    extra = b'["one","two"]' if shape is Shape.MULTI else b""
    return [Answer(shape, rows(each, width), width, 1 + at, extra if at % 2 else b"") for at in range(count)]


def job(shape: Shape, form: EmbeddingsPresentation) -> Job:
    return Job("embeddings", "m", "r", ((Item.text("x"),),), shape, (), form)


SHAPES = [Shape.DENSE, Shape.MULTI, Shape.SPARSE, Shape.VERBATIM]


@pytest.mark.parametrize(
    ("shape", "form", "each"), [*itertools.product(SHAPES, FORMS, (1, 3)), (Shape.MULTI, FORMS[0], 0)]
)
@pytest.mark.parametrize("piece", [1, 300, PIECE_BYTES])
def test_pieces_are_the_bytes_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, shape: Shape, form: EmbeddingsPresentation, each: int, piece: int
) -> None:
    monkeypatch.setattr(embeddings_reply, "PIECE_BYTES", piece)
    monkeypatch.setattr(embeddings_reply, "LARGE_BYTES", -1)
    monkeypatch.setattr(embeddings_reply, "_VALUES", 32)
    asked, given = job(shape, form), answers(shape, 5, each)
    stream = Embeddings().stream(asked, given)
    assert stream is not None
    assert b"".join(stream) == Embeddings().assemble(asked, given)
    again = Embeddings().stream(asked, given)  # now with ready-to-send forms
    assert again is not None
    assert b"".join(again) == Embeddings().assemble(asked, given)


@pytest.mark.parametrize(
    ("shape", "count", "each", "width"), [(Shape.DENSE, 700, 1, 1024), (Shape.MULTI, 2, 5_000, 128)]
)
def test_no_piece_is_large_and_none_is_kept(shape: Shape, count: int, each: int, width: int) -> None:
    given = answers(shape, count, each, width)
    stream = Embeddings().stream(job(shape, FORMS[0]), given)
    assert stream is not None
    sizes = [len(piece) for piece in stream]
    assert sum(sizes) > 2 * LARGE_BYTES
    assert max(sizes) < PIECE_BYTES + 100_000
    assert forms_kept(given) == 0


def forms_kept(given: list[Answer]) -> int:
    return len([form for answer in given for form in answer.fragments.values() if form])


def test_what_was_in_a_large_reply_before_keeps_its_form_and_no_more_than_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embeddings_reply, "LARGE_BYTES", -1)
    monkeypatch.setattr(embeddings_reply, "_VALUES", 32)
    given = [*answers(Shape.DENSE, 3, 2, 16), *answers(Shape.DENSE, 1, 3, 16)]  # the last one has too many values
    for at, kept in [(0, 0), (0, 3), (1, 3), (1, 6), (1, 6), (2, 6), (2, 6), (1, 6), (0, 6)]:
        form = FORMS[at]
        asked = job(Shape.DENSE, form)
        fresh = [replace(answer, fragments={}) for answer in given]
        stream = Embeddings().stream(asked, given)
        assert stream is not None
        assert b"".join(stream) == Embeddings().assemble(asked, fresh)
        assert forms_kept(given) == kept
    assert [form in given[0].fragments for form in FORMS[:3]] == [False, True, True], "the oldest went"


def test_what_is_not_large_has_no_pieces() -> None:
    given = answers(Shape.DENSE, 512, 1, 1024)
    assert Embeddings().stream(job(Shape.DENSE, FORMS[0]), given) is None
    assert Embeddings().stream(job(Shape.DENSE, FORMS[0]), [*given, given[0]]) is not None
    assert len(orjson.loads(Embeddings().assemble(job(Shape.DENSE, FORMS[0]), given[:2]))["data"]) == 2
    assert Rerank().stream(job(Shape.SCORE, FORMS[0]), given) is None  # type: ignore[func-returns-value]
