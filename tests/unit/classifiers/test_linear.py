from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier

from gateway.classifiers.linear import AGGRESSIVENESS, Linear, WidthError, learned, one_pass, untrained
from gateway.classifiers.packing import packed, unpacked

Wide: TypeAlias = NDArray[np.float64]
EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def clouds(seed: int, classes: int, width: int, each: int, noise: float = 0.7) -> tuple[Wide, list[str]]:
    """Unit vectors around a centre for each class, one class after the other."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((classes, width))
    rows = np.repeat(centres, each, axis=0) + noise * chance.standard_normal((classes * each, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), [f"c{at // each}" for at in range(classes * each)]


def predicted(linear: Linear, rows: Wide) -> list[str]:
    return [linear.labels[at] for at in linear.scores(rows).argmax(axis=1)]


def test_one_step_by_hand() -> None:
    weights = np.zeros((2, 3))
    one_pass(weights, np.array([[1.0, 0.0, 1.0]]), np.array([0]), most=10.0)
    # Loss 1, squared length 2, shared by two rows: a quarter of the example each. The margin is one then.
    assert weights.tolist() == [[0.25, 0.0, 0.25], [-0.25, 0.0, -0.25]]
    one_pass(weights, np.array([[1.0, 0.0, 1.0]]), np.array([0]), most=10.0)
    assert weights.tolist() == [[0.25, 0.0, 0.25], [-0.25, 0.0, -0.25]], "right by a margin of one: nothing to do"


def test_a_step_is_never_larger_than_it_may_be() -> None:
    weights = np.zeros((3, 2))
    one_pass(weights, np.array([[1.0, 0.0]]), np.array([2]), most=0.1)
    assert weights.tolist() == [[-0.1, 0.0], [0.0, 0.0], [0.1, 0.0]]


def test_two_classes_learn_exactly_what_scikit_learn_does() -> None:
    rows, labels = clouds(5, classes=2, width=8, each=40)
    order = np.random.default_rng(1).permutation(len(rows))
    rows, targets = rows[order], np.array([int(labels[at][1]) for at in order])
    weights = np.zeros((2, 8))
    # Our two rows move apart by twice a step, so theirs may move by twice as much.
    theirs = SGDClassifier(
        loss="hinge", penalty=None, learning_rate="pa1", eta0=2 * AGGRESSIVENESS, fit_intercept=False, shuffle=False
    )
    for _ in range(3):
        one_pass(weights, rows, targets)
        theirs.partial_fit(rows, targets, classes=[0, 1])
    np.testing.assert_allclose(weights[1] - weights[0], theirs.coef_[0], rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 5, 16])
def test_what_can_be_told_apart_is(classes: int) -> None:
    rows, labels = clouds(classes, classes, width=32, each=20)
    linear = learned(untrained(32), rows, labels, 10)
    assert linear.labels == tuple(f"c{at}" for at in range(classes))
    found = predicted(linear, rows)
    assert sum(a == b for a, b in zip(found, labels, strict=True)) >= 0.95 * len(labels)
    assert linear.steps == 10 * len(labels)


def test_an_update_brings_new_labels_and_keeps_what_was_known() -> None:
    rows, labels = clouds(7, classes=8, width=128, each=30, noise=2.0)
    first = learned(untrained(128), rows[:210], labels[:210], 10)
    before = packed(first)
    more = learned(first, rows[210:], labels[210:], 10)
    assert more.labels == tuple(f"c{at}" for at in range(8))
    right = [a == b for a, b in zip(predicted(more, rows), labels, strict=True)]
    assert sum(right[:210]) >= 200
    assert all(right[210:])
    assert packed(first) == before, "what others may be using stays as it is"


def test_learning_is_repeatable() -> None:
    rows, labels = clouds(3, 3, width=16, each=10)
    one, other = (learned(untrained(16), rows, labels, 5) for _ in range(2))
    assert packed(one) == packed(other)


def test_wrong_widths_are_refused() -> None:
    linear = learned(untrained(2), np.array([EAST, NORTH]), ["e", "n"], 1)
    with pytest.raises(WidthError):
        linear.scores(np.ones((1, 3)))
    with pytest.raises(WidthError):
        learned(linear, np.ones((1, 3)), ["e"], 1)


def test_packed_and_unpacked() -> None:
    rows, labels = clouds(4, 3, width=24, each=10)
    linear = learned(untrained(24), rows, [f"{label} grün" for label in labels], 2)
    stored = packed(linear)
    assert len(stored) < 4 * 25 * 3 + 100
    again = unpacked(stored)
    assert (again.labels, again.width, again.steps) == (linear.labels, 24, 60)
    np.testing.assert_allclose(again.scores(rows), linear.scores(rows), atol=1e-5)
    assert packed(again) == stored


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x02" + bytes(19) + b"[]", bytes(30)])
def test_other_bytes_are_no_classifier(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="classifier"):
        unpacked(damaged)
