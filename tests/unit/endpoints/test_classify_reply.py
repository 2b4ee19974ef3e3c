from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoints.classify import Classify
from gateway.endpoints.classify_reply import LARGE_SCORES, ClassifyPresentation
from gateway.endpoints.schemas_replies import ClassificationResponse
from gateway.vocabulary import Answer, Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.endpoints.schemas_classify import LabelSets

Vector = tuple[float, ...]


def answer(vector: Sequence[float], tokens: int = 1) -> Answer:
    return Answer(Shape.DENSE, struct.pack(f"<{len(vector)}f", *vector), len(vector), tokens)


def job_of(inputs: int, sets: LabelSets) -> Job:
    sizes = tuple(len(labels) for _, labels in sets)
    units = tuple((Item.text("x"),) for _ in range(inputs + sum(sizes)))
    return Job("embeddings", "m", "m", units, Shape.DENSE, (), ClassifyPresentation(sets), labels=sizes)


def reply(inputs: Sequence[Vector], labels: Sequence[Vector], sets: LabelSets) -> Any:
    answers = [answer(vector) for vector in (*inputs, *labels)]
    body = Classify().assemble(job_of(len(inputs), sets), answers)
    ClassificationResponse.model_validate_json(body, strict=True)
    return json.loads(body)


def oracle(vector: Vector, labels: Sequence[Vector]) -> list[float]:
    """Softmax over cosine, written out."""

    def cosine(one: Vector, other: Vector) -> float:
        product = math.fsum(a * b for a, b in zip(one, other, strict=True))
        return product / (math.hypot(*one) * math.hypot(*other))

    powers = [math.exp(cosine(vector, label)) for label in labels]
    return [power / math.fsum(powers) for power in powers]


def test_a_list_of_labels() -> None:
    found = reply([(3.0, 4.0), (0.0, -2.0)], [(1.0, 0.0), (0.0, 1.0)], ((None, ("east", "north")),))
    e = math.exp
    first = [e(0.6) / (e(0.6) + e(0.8)), e(0.8) / (e(0.6) + e(0.8))]
    second = [1 / (1 + e(-1)), e(-1) / (1 + e(-1))]
    assert found == {
        "data": [
            {
                "object": "classification",
                "index": 0,
                "prediction": "north",
                "score": pytest.approx(first[1], abs=1e-12),
                "predictions": [
                    {"label": "east", "score": pytest.approx(first[0], abs=1e-12)},
                    {"label": "north", "score": pytest.approx(first[1], abs=1e-12)},
                ],
            },
            {
                "object": "classification",
                "index": 1,
                "prediction": "east",
                "score": pytest.approx(second[0], abs=1e-12),
                "predictions": [
                    {"label": "east", "score": pytest.approx(second[0], abs=1e-12)},
                    {"label": "north", "score": pytest.approx(second[1], abs=1e-12)},
                ],
            },
        ],
        "usage": {"total_tokens": 4},
    }


def test_groups_of_labels_are_chosen_from_apart() -> None:
    labels = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 1.0)]
    sets: LabelSets = (("axis", ("right", "up")), ("rest", ("left", "down", "both")))
    (entry,) = reply([(0.1, 0.9)], labels, sets)["data"]
    assert entry["prediction"] == {"axis": "up", "rest": "both"}
    assert list(entry["predictions"]) == ["axis", "rest"]
    for (name, words), vectors in zip(sets, (labels[:2], labels[2:]), strict=True):
        predictions = entry["predictions"][name]
        assert [prediction["label"] for prediction in predictions] == list(words)
        scores = [prediction["score"] for prediction in predictions]
        # The input was stored as float32.
        assert scores == pytest.approx(oracle((0.1, 0.9), vectors), abs=1e-7)
        assert math.fsum(scores) == pytest.approx(1.0, abs=1e-15)
        assert entry["score"][name] == max(scores)


def test_one_group_is_still_shown_by_its_name() -> None:
    (entry,) = reply([(1.0, 0.0)], [(1.0, 0.0)], (("only", ("a",)),))["data"]
    assert (entry["prediction"], entry["score"]) == ({"only": "a"}, {"only": 1.0})


def test_of_equal_labels_the_first_is_chosen_and_zeros_are_like_nothing() -> None:
    (entry,) = reply([(0.0, 0.0)], [(1.0, 0.0), (0.0, 1.0)], ((None, ("b", "a")),))["data"]
    assert (entry["prediction"], entry["score"]) == ("b", 0.5)


WIDTH = 3
NUMBERS = st.floats(-10, 10, width=32).filter(lambda value: abs(value) > 0.01)
VECTORS = st.tuples(*[NUMBERS] * WIDTH)


@given(st.lists(VECTORS, min_size=1, max_size=5), st.lists(VECTORS, min_size=1, max_size=6))
def test_every_score_is_the_oracles(inputs: list[Vector], labels: list[Vector]) -> None:
    words = tuple(f"label {at}" for at in range(len(labels)))
    data = reply(inputs, labels, ((None, words),))["data"]
    assert [entry["index"] for entry in data] == list(range(len(inputs)))
    for entry, vector in zip(data, inputs, strict=True):
        scores = [prediction["score"] for prediction in entry["predictions"]]
        assert [prediction["label"] for prediction in entry["predictions"]] == list(words)
        assert scores == pytest.approx(oracle(vector, labels), abs=1e-12)
        assert math.fsum(scores) == pytest.approx(1.0, abs=1e-12)
        assert entry["score"] == max(scores) == scores[words.index(entry["prediction"])]


@pytest.mark.parametrize(("inputs", "labels"), [(512, 512), (300, 64), (33, 512)])
def test_a_large_reply_comes_in_pieces_with_the_same_bytes(inputs: int, labels: int) -> None:
    job = job_of(inputs, ((None, tuple(map(str, range(labels)))),))
    answers = [answer((math.cos(at), math.sin(at)), at) for at in range(inputs + labels)]
    body = Classify().assemble(job, answers)
    made = Classify().stream(job, answers)
    assert made is not None
    pieces = list(made)
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) < 400_000
    read = json.loads(body)
    assert [entry["index"] for entry in read["data"]] == list(range(inputs))
    assert read["usage"]["total_tokens"] == sum(range(inputs + labels))
    assert all(math.fsum(p["score"] for p in entry["predictions"]) == pytest.approx(1) for entry in read["data"])


def test_a_small_reply_comes_at_once() -> None:
    job = job_of(LARGE_SCORES // 64, ((None, tuple(map(str, range(64)))),))
    assert Classify().stream(job, [answer((1.0,))] * len(job.units)) is None


def test_what_a_backend_made_is_passed_on() -> None:
    units = ((Item.text("a"), Item.text("x")),)
    job = Job("classify", "m", "m", units, Shape.VERBATIM, (), None, whole=True, labels=(1,))
    data = [{"object": "classification", "index": 0, "prediction": "x", "score": 1.0, "predictions": []}]
    answers = [Answer(Shape.VERBATIM, json.dumps(data).encode(), 0, 7)]
    assert json.loads(Classify().assemble(job, answers)) == {"data": data, "usage": {"total_tokens": 7}}
    assert Classify().stream(job, answers) is None
