from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes.clock import settled

from gateway.admit.estimate import ENOUGH, MARGIN, MOST, YARDSTICK, Estimator
from gateway.admit.need import MEDIA_TOKENS
from gateway.catalogue.local import LOCAL_MODEL
from gateway.catalogue.model import Model, Tokenizer
from gateway.catalogue.registry import CATALOGUE
from gateway.tokens.counter import Counter, load
from gateway.tokens.peaks import WINDOW
from gateway.vocabulary import Answer, Fresh, Item, Job, Modality, Part, Shape, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

V3 = CATALOGUE["jina-embeddings-v3"]
CLIP = CATALOGUE["jina-clip-v1"]
TEXT = Item.text("12345")
IMAGE = Item(Modality.IMAGE, (Part(Modality.IMAGE, "https://example.org/a.png"),))
GROUP = Item(Modality.GROUP, (*TEXT.parts, *IMAGE.parts))
INLINE = "data:image/gif;base64,R0lGODlh9AH0AQAAAA=="
"""A GIF's header: 500 x 500 pixels."""


def words(texts: Sequence[str]) -> list[int]:
    """A yardstick that is easy to reckon with."""
    return [len(text.split()) for text in texts]


WORDS = Counter(words, slice_bytes=10_000)


def job(units: Sequence[Unit], endpoint: str = "embeddings", query: str | None = None) -> Job:
    return Job(endpoint, "m", "m", tuple(units), Shape.DENSE, (), None, query)


def texts(*values: str, endpoint: str = "embeddings", query: str | None = None) -> Job:
    return job([(Item.text(value),) for value in values], endpoint, query)


def counted(*tokens: int, shared: frozenset[int] = frozenset()) -> Fresh:
    return Fresh({at: Answer(Shape.DENSE, b"", 0, count) for at, count in enumerate(tokens)}, shared)


async def reserved(estimator: Estimator, asked: Job, model: Model = V3) -> list[int]:
    positions = range(len(asked.units))
    tokens = (await estimator.estimate(asked, model, positions)).tokens
    return [tokens[at] for at in positions]


async def learnt(estimator: Estimator, asked: Job, *tokens: int, model: Model = V3, times: int = 1) -> None:
    for _ in range(times):
        estimator.learn(await estimator.estimate(asked, model, range(len(asked.units))), counted(*tokens))


@pytest.mark.parametrize(
    ("unit", "query", "context", "endpoint", "tokens"),
    [
        ((TEXT,), None, 8_192, "embeddings", 7),
        ((TEXT,), None, 6, "embeddings", 6),
        ((TEXT, TEXT), None, 6, "embeddings", 12),
        ((IMAGE,), None, 100_000, "embeddings", MEDIA_TOKENS),
        ((IMAGE,), None, 77, "embeddings", 77),
        ((GROUP,), None, 100_000, "embeddings", MEDIA_TOKENS + 7),
        ((GROUP,), None, 50, "embeddings", 50),
        ((TEXT,), "query", 8_192, "rerank", 14),
        ((TEXT, TEXT), "query", 6, "rerank", 28),
        ((IMAGE,), "é", 10, "rerank", 16),
        ((Item.text("\ud800"),), None, 8_192, "embeddings", 5),
    ],
)
async def test_a_bound_is_reserved_as_long_as_nothing_is_known(
    unit: Unit, query: str | None, context: int, endpoint: str, tokens: int
) -> None:
    model = replace(V3, context_length=context)
    for estimator in (Estimator(), Estimator(load([YARDSTICK]))):
        assert await reserved(estimator, job([unit], endpoint, query), model) == [tokens]


@pytest.mark.parametrize(
    ("parts", "model", "tokens"),
    [
        (((Modality.IMAGE, INLINE),), CLIP, 9_000),
        (((Modality.IMAGE, INLINE.partition(",")[2]),), CLIP, 9_000),
        (((Modality.IMAGE, "http://example.org/a.gif"),), CLIP, MEDIA_TOKENS),
        (((Modality.IMAGE, INLINE),), CATALOGUE["jina-clip-v2"], MEDIA_TOKENS),
        (((Modality.PDF, INLINE),), CLIP, MEDIA_TOKENS),
        (((Modality.TEXT, "12345"), (Modality.IMAGE, INLINE), (Modality.IMAGE, INLINE)), CLIP, 18_007),
    ],
)
async def test_inline_images_count_tiles_where_the_model_has_such_a_rule(
    parts: tuple[tuple[Modality, str], ...], model: Model, tokens: int
) -> None:
    item = Item(Modality.GROUP, tuple(Part(*part) for part in parts))
    assert await reserved(Estimator(), job([(item,)]), model) == [tokens]


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        (texts("hello world", "", "word " * 300, "word " * 3_000), [4, 2, 256, 256]),
        (texts("hello world", endpoint="rerank", query="one two three"), [9]),
    ],
)
async def test_the_local_models_tokens_are_exact(asked: Job, tokens: list[int]) -> None:
    estimator = Estimator(load([Tokenizer.MINILM]))
    await learnt(estimator, asked, *[1] * len(tokens), model=LOCAL_MODEL, times=ENOUGH)
    assert await reserved(estimator, asked, LOCAL_MODEL) == tokens


async def test_without_its_tokenizer_the_local_model_is_bounded() -> None:
    assert await reserved(Estimator(), texts("hello world"), LOCAL_MODEL) == [13]


async def test_the_ratio_is_believed_after_enough_calls_and_with_a_margin() -> None:
    estimator = Estimator({YARDSTICK: WORDS})
    prose = texts("word " * 20, "word " * 20)
    await learnt(estimator, prose, 33, 33, times=ENOUGH - 1)
    assert await reserved(estimator, prose) == [102, 102]
    await learnt(estimator, prose, 32, 32)
    assert await reserved(estimator, prose) == [round(33 * MARGIN + 0.5)] * 2


async def test_a_jump_is_in_excess_once_and_reserved_from_then_on() -> None:
    estimator = Estimator({YARDSTICK: WORDS})
    prose = texts("word " * 20)
    await learnt(estimator, prose, 22, times=ENOUGH)
    excess = []
    for actual in (22, 60, 60, 101, 101, 500, 500, 22):
        estimate = await estimator.estimate(prose, V3, [0])
        excess.append(max(0, actual - estimator.learn(estimate, counted(actual))))
    assert excess == [0, 60 - 28, 0, 101 - 75, 0, 500 - 102, 0, 0]


async def test_a_peak_is_forgotten_when_it_does_not_come_back() -> None:
    estimator = Estimator({YARDSTICK: WORDS})
    prose = texts("word " * 20)
    await learnt(estimator, prose, 500)
    assert await reserved(estimator, prose) == [500]
    await learnt(estimator, prose, 22, times=2 * WINDOW)
    assert await reserved(estimator, prose) == [28]


async def test_what_a_backend_says_is_believed_within_reason() -> None:
    estimator = Estimator()
    await learnt(estimator, texts("12345"), 10**12)
    assert await reserved(estimator, texts("12345")) == [round(7 * MOST)]


@pytest.mark.parametrize(
    ("other", "model"),
    [
        (texts("word " * 200), V3),
        (texts("a b c d e f g h i j " * 2), V3),
        (texts("word " * 20), CATALOGUE["jina-embeddings-v4"]),
        (texts("word " * 19, endpoint="rerank", query="word"), V3),
    ],
    ids=["size", "density", "model", "endpoint"],
)
async def test_a_ratio_says_nothing_about_another_kind(other: Job, model: Model) -> None:
    estimator = Estimator({YARDSTICK: WORDS})
    before = await reserved(estimator, other, model)
    await learnt(estimator, texts("word " * 20), 22, times=ENOUGH)
    assert await reserved(estimator, other, model) == before


async def test_what_long_lists_cost_to_rerank_says_nothing_about_short_ones() -> None:
    """A bi-encoder reads the query once a call, a cross-encoder once a document."""
    estimator = Estimator({YARDSTICK: WORDS})
    one = texts("word " * 20, endpoint="rerank", query="word " * 40)
    before = await reserved(estimator, one)
    many = texts(*["word " * 20] * 30, endpoint="rerank", query="word " * 40)
    await learnt(estimator, many, *[22] * 30, times=ENOUGH)
    assert (await reserved(estimator, many))[0] == 28
    assert await reserved(estimator, one) == before


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [(texts("a " * 4_999), 5_001), (texts("a " * 6_000), 8_192), (job([(IMAGE,)]), 9_999), (job([(GROUP,)]), 9_999)],
    ids=["may be cut", "too long to count", "image", "group"],
)
async def test_what_may_be_cut_or_is_no_text_teaches_nothing(asked: Job, tokens: int) -> None:
    estimator = Estimator({YARDSTICK: WORDS})
    before = await reserved(estimator, asked)
    await learnt(estimator, asked, tokens // 10, times=ENOUGH)
    assert await reserved(estimator, asked) == before


async def test_a_picture_that_costs_more_does_not_raise_what_the_next_one_reserves() -> None:
    estimator = Estimator()
    await learnt(estimator, job([(IMAGE,)]), 10 * MEDIA_TOKENS)
    assert await reserved(estimator, job([(IMAGE,)])) == [MEDIA_TOKENS]


async def test_only_what_was_paid_for_is_compared() -> None:
    estimator = Estimator()
    estimate = await estimator.estimate(texts("12345", "123", "1"), V3, [0, 1])
    assert estimator.learn(estimate, counted(1, 1, 1, shared=frozenset({0}))) == 5
    assert estimator.learn(estimate, Fresh({})) == 0


@pytest.mark.parametrize("length", [100, 9_999])
async def test_a_long_list_is_counted_in_slices_between_which_others_run(length: int) -> None:
    sizes: list[int] = []

    def count(given: Sequence[str]) -> list[int]:
        sizes.append(sum(map(len, given)))
        return [1] * len(given)

    estimator = Estimator({YARDSTICK: Counter(count, slice_bytes=10_000)})
    asked = texts(*["x" * length] * 1_000, "y" * 20_000)
    running = asyncio.ensure_future(reserved(estimator, asked))
    await asyncio.sleep(0)
    assert len(sizes) == 1
    while not running.done():
        await settled()
    assert max(sizes) <= 10_000
    assert sum(sizes) == length * 1_000
    assert (await running)[-1] == V3.context_length


@pytest.mark.parametrize(("endpoint_tokens", "iterations"), [(7 + 7 + 3, None), (7 * 2 * 10, 10)])
async def test_classifying_costs_inputs_and_labels_and_training_inputs_once_an_iteration(
    endpoint_tokens: int, iterations: int | None
) -> None:
    items, estimator = [TEXT, TEXT], Estimator()
    if iterations is None:
        assert await estimator.classify(items, [Item.text("a")], V3) == endpoint_tokens
    else:
        assert await estimator.train(items, iterations, V3) == endpoint_tokens
