"""Bytes as protobuf's own description of its encoding has them, and its tables of zigzag numbers."""

from __future__ import annotations

import pytest

from gateway.observe.protobuf import delimited, double, message, sint, sints, text, uint, varint, zigzag


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (150, "9601"), (300, "ac02"), (2**64 - 1, "ff" * 9 + "01")],
)
def test_a_varint_has_seven_bits_a_byte(number: int, written: str) -> None:
    assert varint(number).hex() == written


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**31 - 1, 2**32 - 2), (-(2**31), 2**32 - 1), (-(2**63), 2**64 - 1)],
)
def test_a_signed_number_goes_to_and_fro(number: int, written: int) -> None:
    assert zigzag(number) == written


@pytest.mark.parametrize(
    ("field", "written"),
    [
        (uint(1, 150), "089601"),
        (uint(16, 1), "800101"),
        (sint(5, -3), "2805"),
        (double(2, 1.0), "11000000000000f03f"),
        (text(2, "testing"), "120774657374696e67"),
        (text(2, "ü"), "1202c3bc"),
        (message(3, uint(1, 150)), "1a03089601"),
        (sints(13, (1, -1, 150)), "6a040201ac02"),
        (sints(13, ()), "6a00"),
        (delimited(b"x" * 200), "c801" + "78" * 200),
    ],
)
def test_a_field_is_its_number_its_kind_and_its_value(field: bytes, written: str) -> None:
    assert field.hex() == written
