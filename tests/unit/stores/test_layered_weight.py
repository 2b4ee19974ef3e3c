from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes.clock import FakeClock

from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, vectors
from gateway.stores.layered import REWEIGH_SECONDS, LayeredAnswers
from gateway.stores.redis.entry import decode, encode
from gateway.vocabulary import Answer, ItemKey, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRIES, WARM = 100, 10
NEAR = 0.15


class Stored:
    """A store that has everything, made anew each time as from its bytes."""

    def __init__(self, shape: Shape, values: int) -> None:
        self._shape = shape
        self._values = values
        self._random = np.random.default_rng(1)

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        return [decode(key.proof, encode(key.proof, self._answer())) for key in keys]

    def _answer(self) -> Answer:
        dense = self._shape is Shape.DENSE
        payload = self._random.normal(size=self._values).astype("<f4").tobytes()
        made, micros = 1_700_000_000 + int(self._random.integers(10**6)), int(self._random.integers(10**4, 10**6))
        origin = self._random.bytes(16)
        return Answer(self._shape, payload, self._values if dense else 0, 700, b"", made, micros, origin)

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        del entries


async def used(layer: LayeredAnswers, clock: FakeClock, number: int, forms: tuple[str, ...]) -> None:
    key = ItemKey(number.to_bytes(16, "little"), number.to_bytes(16, "big"))
    (answer,) = await layer.get([key])
    assert answer is not None
    for form in forms:
        assert list(vectors([answer], EmbeddingsPresentation((form,), keyed=False)))
    clock.now += REWEIGH_SECONDS


@pytest.mark.parametrize(
    ("shape", "values", "forms"),
    [
        (Shape.DENSE, 1_024, ()),
        (Shape.DENSE, 1_024, ("float",)),
        (Shape.DENSE, 1_024, ("base64",)),
        (Shape.DENSE, 1_024, ("float", "base64")),
        (Shape.DENSE, 128, ("float",)),
        (Shape.SCORE, 2, ()),
    ],
)
async def test_an_answer_weighs_what_it_takes(shape: Shape, values: int, forms: tuple[str, ...]) -> None:
    clock = FakeClock()
    layer = LayeredAnswers(Stored(shape, values), 10**9, 1e9, clock)  # type: ignore[arg-type] # only what is used
    for number in range(WARM):
        await used(layer, clock, number, forms)
    gc.collect()
    tracemalloc.start()
    try:
        before, weighed = tracemalloc.get_traced_memory()[0], layer.weight
        for number in range(WARM, WARM + ENTRIES):
            await used(layer, clock, number, forms)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert (layer.weight - weighed) / taken == pytest.approx(1.0, abs=NEAR)
