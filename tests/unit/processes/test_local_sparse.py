from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

from gateway.processes.local_model.engine import Engine
from gateway.processes.local_model.sparse import rarity, weights

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENTS = [
    "Photosynthesis lets plants turn sunlight into chemical energy.",
    "The central bank raised interest rates to curb inflation.",
    "The treaty of Westphalia ended the Thirty Years' War in 1648.",
    "A solar eclipse happens when the moon passes between the sun and the earth.",
    "Insulin is produced by the beta cells of the pancreas.",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(1)


def weighed(engine: Engine, text: str) -> Mapping[int, float]:
    return weights(engine.tokenize([text], truncate=True)[0])


def product(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    return sum(weight * other.get(token, 0.0) for token, weight in one.items())


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("what is photosynthesis", 0),
        ("the interest rates of the bank", 1),
        ("1648", 2),
        ("the moon and the sun", 3),
        ("insulin and the pancreas", 4),
    ],
)
def test_the_text_with_the_rarest_common_words_is_first(engine: Engine, query: str, best: int) -> None:
    asked = weighed(engine, query)
    scores = [product(asked, weighed(engine, document)) for document in DOCUMENTS]
    assert max(range(len(DOCUMENTS)), key=scores.__getitem__) == best


def test_marks_and_special_tokens_weigh_nothing(engine: Engine) -> None:
    assert weighed(engine, "?! ... ,") == {}
    assert weighed(engine, "") == {}
    assert weighed(engine, "moon!") == weighed(engine, "moon")
    assert all(weight > 0 for weight in weighed(engine, "1648 is 4 times 412, a b").values())


def test_a_rare_word_weighs_more_than_a_common_one(engine: Engine) -> None:
    (the,), (moon,), (pancreas, *_) = (list(weighed(engine, word)) for word in ("of", "moon", "insulin"))
    assert rarity(the) < rarity(moon) < rarity(pancreas)
    together = weighed(engine, "moon of")
    assert together[moon] > 2 * together[the]


def test_more_of_a_word_weighs_more_but_ever_less_so(engine: Engine) -> None:
    one, two, many, most = (next(iter(weighed(engine, "moon " * count).values())) for count in (1, 2, 20, 200))
    assert one < two < many < most
    assert two - one > most - many


def test_a_word_in_a_short_text_weighs_more_than_in_a_long_one(engine: Engine) -> None:
    (moon,) = weighed(engine, "moon")
    assert weighed(engine, "moon")[moon] > weighed(engine, "moon and many other things that stand beside it")[moon]
