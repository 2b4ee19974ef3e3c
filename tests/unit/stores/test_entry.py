from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.redis.entry import decode, encode
from gateway.stores.redis.keys import Keys
from gateway.vocabulary import Answer, Shape

PROOF = bytes(range(16))
DENSE = Answer(Shape.DENSE, struct.pack("<4f", 1, 2, 3, 4), 2, 9, b"extra")


def test_a_vector_of_1024_takes_at_most_a_tenth_more_than_its_values_with_its_key() -> None:
    kept = Answer(Shape.DENSE, bytes(4_096), 1_024, 8_192)
    stored = len(encode(PROOF * 2, kept)) + len(Keys("p" * 32).answer(PROOF))
    assert stored <= 4_096 * 1.1


@given(
    proof=st.binary(max_size=64),
    payload=st.binary(min_size=1),
    extra=st.binary(),
    tokens=st.integers(0, 2**63),
    shape=st.sampled_from([Shape.SPARSE, Shape.RANKING, Shape.VERBATIM]),
)
def test_what_goes_in_comes_out(proof: bytes, payload: bytes, extra: bytes, tokens: int, shape: Shape) -> None:
    kept = Answer(shape, payload, 0, tokens, extra)
    assert decode(proof, encode(proof, kept)) == kept


@given(cut=st.integers(0, len(encode(PROOF, DENSE)) - 1))
def test_a_cut_entry_is_a_miss(cut: int) -> None:
    assert decode(PROOF, encode(PROOF, DENSE)[:cut]) is None


@given(st.binary(max_size=100))
def test_anything_else_is_a_miss(entry: bytes) -> None:
    assert decode(PROOF, entry) is None


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 1), (1, 7), (2, 15), (4, 0), (4, 3), (48, 1)],
    ids=["version", "shape", "proof length", "no width", "width", "proof"],
)
def test_a_damaged_entry_is_a_miss(at: int, value: int) -> None:
    entry = bytearray(encode(PROOF, DENSE))
    assert entry[at] != value
    entry[at] = value
    assert decode(PROOF, bytes(entry)) is None


def test_age_and_cost_come_back_and_are_no_part_of_equality() -> None:
    kept = Answer(Shape.DENSE, DENSE.payload, 2, 9, b"extra", made=1_700_000_000, micros=2**40)
    back = decode(PROOF, encode(PROOF, kept))
    assert back == DENSE == kept
    assert back is not None
    assert (back.made, back.micros) == (1_700_000_000, 2**32 - 1)


def test_a_score_has_eight_bytes() -> None:
    assert decode(PROOF, encode(PROOF, Answer(Shape.SCORE, bytes(4), 0, 1))) is None
