from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gateway.endpoints.vectors import Matrix, encode, encode_tokens, matrix, shorten

FINITE = st.floats(-(2.0**60), 2.0**60, width=32)
ROWS = st.tuples(st.integers(1, 4), st.integers(1, 40)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=FINITE)
)


@given(ROWS)
def test_payload_round_trip(rows: Matrix) -> None:
    assert np.array_equal(matrix(rows.tobytes(), rows.shape[1]), rows)


@given(ROWS, st.integers(1, 40), st.booleans())
def test_shortened_rows_are_the_prefix_with_unit_length_if_normalized(
    rows: Matrix,
    dimensions: int,
    normalized: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    short = shorten(rows, dimensions, normalized=normalized)
    prefix = rows[:, :dimensions].astype(np.float64)
    assert short.dtype == np.float32
    assert short.flags.c_contiguous
    if dimensions >= rows.shape[1] or not normalized:
        assert np.array_equal(short, prefix)
        return
    lengths = np.linalg.norm(prefix, axis=1, keepdims=True)
    expected = np.divide(prefix, lengths, out=np.zeros_like(prefix), where=lengths > 0)
    assert np.allclose(short, expected, rtol=1e-6, atol=1e-30)


@given(ROWS)
def test_shortening_in_steps_is_shortening_at_once(rows: Matrix) -> None:
    width = rows.shape[1]
    at_once = shorten(rows, max(1, width // 4), normalized=True)
    in_steps = shorten(shorten(rows, max(1, width // 2), normalized=True), max(1, width // 4), normalized=True)
    usable = np.linalg.norm(in_steps, axis=1) > 0.5  # a prefix that vanishes in float32 has no direction left
    assert np.allclose(in_steps[usable], at_once[usable], atol=1e-5)


def test_known_value() -> None:
    rows = np.array([[3.0, 4.0, 12.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    expected = np.array([[0.6, 0.8], [0.0, 0.0]], dtype=np.float32)
    assert np.array_equal(shorten(rows, 2, normalized=True), expected)


@given(ROWS)
def test_base64_round_trip(rows: Matrix) -> None:
    for row, text in zip(rows, encode(rows, ("base64",), keyed=False), strict=True):
        assert np.array_equal(np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4"), row)


@given(ROWS)
def test_bits_round_trip_and_binary_is_offset_ubinary(rows: Matrix) -> None:
    signed = encode(rows, ("binary",), keyed=False)
    unsigned = encode(rows, ("ubinary",), keyed=False)
    for row, low, high in zip(rows, signed, unsigned, strict=True):
        assert (low.dtype, high.dtype) == (np.int8, np.uint8)
        assert np.array_equal(low.astype(int) + 128, high)
        assert np.array_equal(np.unpackbits(high)[: len(row)].astype(bool), row > 0)
        assert len(high) == -(-len(row) // 8)


def test_first_value_is_the_highest_bit_and_zero_is_not_positive() -> None:
    rows = np.array([[1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 2.0]], dtype=np.float32)
    assert encode(rows, ("ubinary",), keyed=False)[0].tolist() == [0b1000_0001]
    assert encode(rows, ("binary",), keyed=False)[0].tolist() == [1]


@pytest.mark.parametrize("types", [("float",), ("float", "base64"), ("binary", "ubinary", "base64")])
def test_lists_of_types_are_keyed(types: tuple[str, ...]) -> None:
    rows = np.array([[1.0, -1.0], [2.0, 0.5]], dtype=np.float32)
    for position, element in enumerate(encode(rows, types, keyed=True)):
        assert tuple(element) == types
        for kind in types:
            assert np.array_equal(element[kind], encode(rows, (kind,), keyed=False)[position])
    tokens = encode_tokens(rows, types, keyed=True)
    assert {kind: len(tokens[kind]) for kind in tokens} == dict.fromkeys(types, 2)
