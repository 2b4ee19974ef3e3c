from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from gateway.plan.derive import derive, is_source, source
from gateway.vocabulary import Answer, Item, Job, Shape

JOB = Job("embeddings", "m", "r", ((Item.text("a"),),), Shape.DENSE, (("task", "x"),), None)


def test_the_source_of_a_normalised_answer_is_the_unnormalised_one() -> None:
    made = source(JOB)
    assert made is not None
    assert made.parameters == (("normalized", False), ("task", "x"))
    assert is_source(made)
    assert not is_source(JOB)
    assert not is_source(replace(made, shape=Shape.MULTI))


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, parameters=(("normalized", False),)),
        replace(JOB, parameters=(("dimensions", 1024),)),
        replace(JOB, shape=Shape.MULTI),
        replace(JOB, shape=Shape.SCORE),
    ],
)
def test_nothing_else_is_derived(job: Job) -> None:
    assert source(job) is None


def test_each_row_gets_unit_length_and_costs_the_same() -> None:
    answer = Answer(Shape.DENSE, struct.pack("<6f", 3, 4, 0, 0, 1e-20, 0), 2, 9, made=5, micros=7)
    made = derive(answer)
    rows = np.frombuffer(made.payload, "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(rows, np.array([[0.6, 0.8], [0, 0], [1, 0]], "<f4"))
    assert (made.tokens, made.made, made.micros) == (9, 5, 7)
