from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

from gateway.processes.local_model import engine as module
from gateway.processes.local_model.engine import Engine, TooLongError, WrongFileError, unit
from gateway.processes.local_model.limits import MODEL_SHA256

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The stock market fell sharply today.",
    "word " * 300,
    "ok",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(1)


def test_what_is_alike_is_near(engine: Engine) -> None:
    food, bread, market = engine.embed(TEXTS[:3]).vectors
    assert food @ bread > 0.6
    assert food @ market < 0.3


def test_vectors_have_unit_length_and_the_model_s_width(engine: Engine) -> None:
    vectors = engine.embed(TEXTS, truncate=True).vectors
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_without_normalisation_only_the_length_differs(engine: Engine) -> None:
    raw = engine.embed(TEXTS[:1], normalize=False).vectors
    assert abs(np.linalg.norm(raw) - 1.0) > 0.01
    assert unit(raw) == pytest.approx(engine.embed(TEXTS[:1]).vectors)


@pytest.mark.parametrize(("text", "tokens"), [("ok", 3), ("A man is eating food.", 8), ("word " * 300, 256), ("", 2)])
def test_tokens_are_those_of_the_text_not_of_padding(engine: Engine, text: str, tokens: int) -> None:
    assert engine.embed([text], truncate=True).tokens == tokens


def test_a_batch_gives_each_text_the_vector_it_gets_alone(engine: Engine) -> None:
    together = engine.embed(TEXTS, truncate=True)
    alone = [engine.embed([text], truncate=True) for text in TEXTS]
    assert together.tokens == sum(single.tokens for single in alone)
    for row, single in zip(together.vectors, alone, strict=True):
        assert row == pytest.approx(single.vectors[0], abs=1e-6)


def test_truncation_keeps_the_beginning_and_closes_the_sequence(engine: Engine) -> None:
    (ids,) = engine.tokenize(["word " * 300], truncate=True)
    (whole,) = engine.tokenize(["word " * 254], truncate=False)
    assert ids == whole
    assert len(ids) == 256


@pytest.mark.parametrize("text", ["word " * 255, "word " * 50_000])
def test_too_long_is_an_error_where_truncation_is_not_allowed(engine: Engine, text: str) -> None:
    with pytest.raises(TooLongError, match="256 tokens at most"):
        engine.embed([text])


def test_a_very_long_text_is_cut_as_a_long_one_and_white_space_does_not_count(engine: Engine) -> None:
    prefix, spaced, long = engine.tokenize(
        ["word " * 300, " " * 50_000 + "word " * 300, "word " * 50_000], truncate=True
    )
    assert prefix == spaced == long


def test_batches_bound_the_padded_tokens() -> None:
    lengths = [3] * 40 + [100, 120, 130, 256, 256]
    batches = module._batches(list(range(len(lengths))), lengths)
    assert [position for batch in batches for position in batch] == list(range(len(lengths)))
    assert [len(batch) for batch in batches] == [32, 8, 2, 1, 1, 1]


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not the model")
    with pytest.raises(WrongFileError, match="sha256"):
        module._checked(tmp_path / "model.onnx", MODEL_SHA256)
