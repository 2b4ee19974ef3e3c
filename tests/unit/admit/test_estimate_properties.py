from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admit.estimate import NOTHING, YARDSTICK, Estimator
from gateway.catalogue.local import LOCAL_MODEL
from gateway.catalogue.model import Tokenizer
from gateway.catalogue.registry import CATALOGUE
from gateway.tokens.bound import PAIR_TOKENS, SPECIAL_TOKENS, utf8_length
from gateway.tokens.counter import load
from gateway.vocabulary import Answer, Fresh, Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.catalogue.model import Model
    from gateway.tokens.counter import Counter

COUNTERS = load([Tokenizer.MINILM, YARDSTICK])
V3 = CATALOGUE["jina-embeddings-v3"]
LISTS = st.lists(st.text(max_size=60), min_size=1, max_size=6)


def job(texts: Sequence[str], query: str | None = None) -> Job:
    units = tuple((Item.text(text),) for text in texts)
    return Job("embeddings" if query is None else "rerank", "m", "m", units, Shape.DENSE, (), None, query)


def true_count(text: str) -> int:
    """What the local model reads of a text, special tokens included."""
    found = COUNTERS[Tokenizer.MINILM].count([text])
    assert found is not None
    return min(found[0] + SPECIAL_TOKENS, 256)


@given(LISTS)
async def test_with_the_models_own_tokenizer_a_reservation_is_what_it_counts(texts: list[str]) -> None:
    estimate = await Estimator(COUNTERS).estimate(job(texts), LOCAL_MODEL, range(len(texts)))
    assert list(estimate.tokens.values()) == [true_count(text) for text in texts]


@given(LISTS, st.text(max_size=60))
async def test_and_never_less_for_pairs(texts: list[str], query: str) -> None:
    estimate = await Estimator(COUNTERS).estimate(job(texts, query), LOCAL_MODEL, range(len(texts)))
    assert all(estimate.tokens[at] >= true_count(query) + true_count(text) for at, text in enumerate(texts))


@given(LISTS, st.none() | st.text(max_size=60))
async def test_without_it_a_reservation_is_the_bound(texts: list[str], query: str | None) -> None:
    estimate = await Estimator(COUNTERS).estimate(job(texts, query), V3, range(len(texts)))
    marks = SPECIAL_TOKENS if query is None else PAIR_TOKENS + utf8_length(query)
    assert list(estimate.tokens.values()) == [utf8_length(text) + marks for text in texts]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["The quick brown fox.", "0f3a9c", "狐狸 跳", ""]), min_size=1, max_size=3),
    st.lists(st.floats(0.1, 12.0), min_size=60, max_size=120),
)
async def test_whatever_a_backend_counts_the_same_call_is_covered_the_next_time(
    texts: list[str], ratios: list[float]
) -> None:
    estimator, asked = Estimator(COUNTERS), job(texts)
    bound = sum(utf8_length(text) + SPECIAL_TOKENS for text in texts)
    seen = 0
    for ratio in ratios:
        estimate = await estimator.estimate(asked, V3, range(len(texts)))
        assert sum(estimate.tokens.values()) >= seen
        assert sum(estimate.tokens.values()) <= max(bound, seen) + len(texts)
        actual = ceil(bound * ratio)
        answers = {at: Answer(Shape.DENSE, b"", 0, actual if at == 0 else 0) for at in range(len(texts))}
        estimator.learn(estimate, Fresh(answers))
        seen = max(seen, actual)
        await asyncio.sleep(0)


@given(
    text=st.text(max_size=80) | st.sampled_from(["狐狸 " * 30, "a" * 2_049, "\ud800", ""]),
    model=st.sampled_from([LOCAL_MODEL, V3]),
    counters=st.sampled_from([COUNTERS, {}]),
    counted=st.sampled_from([0.5, 3.0]),
)
async def test_one_text_is_estimated_at_once_as_it_is_in_a_list(
    text: str, model: Model, counters: Mapping[Tokenizer, Counter], counted: float
) -> None:
    made, one = Estimator(counters), job([text])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Estimator, "at_once", lambda *_: None)
        for _ in range(60):  # so that ratios are known, of both kinds
            long = await made.estimate(one, model, (0,))
            tokens = max(1, int(long.tokens[0] * counted))
            made.learn(long, Fresh({0: Answer(Shape.DENSE, b"", 0, tokens)}))
        long = await made.estimate(one, model, (0,))
    assert made.at_once(one, model, (0,)) in (None, long)
    assert await made.estimate(one, model, (0,)) == long


def test_nothing_is_estimated_at_once_and_lists_and_pairs_are_not() -> None:
    made = Estimator(COUNTERS)
    assert made.at_once(job(["a"]), V3, ()) is NOTHING
    assert made.at_once(job(["a"]), V3, (0,)) is not None
    assert made.at_once(job(["a", "b"]), V3, (0, 1)) is None
    assert made.at_once(job(["a"], "query"), V3, (0,)) is None
    assert made.at_once(job(["a" * 40_000]), V3, (0,)) is None
