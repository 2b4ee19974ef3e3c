"""P: vector maths: shorten, renormalise, encode; rows are float32, little-endian (vocabulary.FLOAT_BYTES)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pybase64 import b64encode_as_string

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.vocabulary import Json

Matrix: TypeAlias = NDArray[np.float32]

_STEPS = 32
"""Of int8, for each 1 / √length."""

_OFFSET = 128
"""`binary` is `ubinary` moved into the signed range, not reinterpreted (the API's definition)."""


def matrix(payload: bytes | memoryview, width: int) -> Matrix:
    """The rows of a DENSE or MULTI payload; read-only, shares its memory."""
    rows: Matrix = np.frombuffer(payload, dtype="<f4").reshape(-1, width)
    return rows


def floats(payload: bytes) -> NDArray[np.float32]:
    """All values of a payload; read-only, shares its memory."""
    return np.frombuffer(payload, dtype="<f4")


def shorten(rows: Matrix, dimensions: int, *, normalized: bool) -> Matrix:
    """The first `dimensions` values of each row, with unit L2 length again if `normalized`."""
    if dimensions >= rows.shape[1]:
        return rows
    short: Matrix = rows[:, :dimensions]
    return normalise(short) if normalized else np.ascontiguousarray(short)


def normalise(rows: Matrix) -> Matrix:
    """Each row with unit L2 length; a row of zeros stays as it is.

    The length is computed in float64, so that the result does not depend on the platform's float32 summation.
    """
    wide = rows.astype(np.float64)
    lengths: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    lengths[lengths == 0] = 1.0
    return (wide / lengths[:, None]).astype(np.float32)


def encode(rows: Matrix, types: Sequence[str], *, keyed: bool) -> list[Json]:
    """Each row in the wire form: one encoding, or an object type → encoding if `keyed`."""
    if not keyed:
        return _ENCODERS[types[0]](rows)
    columns = [_ENCODERS[kind](rows) for kind in types]
    return [dict(zip(types, row, strict=True)) for row in zip(*columns, strict=True)]


def encode_tokens(rows: Matrix, types: Sequence[str], *, keyed: bool) -> Json:
    """All rows of one input (one row a token) in the wire form: one list, or an object type → list if `keyed`."""
    if keyed:
        return {kind: _ENCODERS[kind](rows) for kind in types}
    return _ENCODERS[types[0]](rows)


def _floats(rows: Matrix) -> list[Json]:
    return list(rows)


def _base64(rows: Matrix) -> list[Json]:
    return [b64encode_as_string(row.data) for row in rows]


def _ubinary(rows: Matrix) -> list[Json]:
    """A bit a value, set where it is positive, the first value in the highest bit; zeros fill the last byte."""
    return list(np.packbits(rows > 0, axis=1))


def _binary(rows: Matrix) -> list[Json]:
    signed = np.packbits(rows > 0, axis=1).astype(np.int16) - _OFFSET
    return list(signed.astype(np.int8))


def _int8(rows: Matrix) -> list[Json]:
    return list(_steps(rows).astype(np.int8))


def _uint8(rows: Matrix) -> list[Json]:
    return list((_steps(rows) + _OFFSET).astype(np.uint8))


def _steps(rows: Matrix) -> NDArray[np.float32]:
    """Values in steps that are the same for all vectors of one length, so that dot products stay comparable.

    A value of a unit vector is about 1 / √length; four times that is the end of the range, and what is beyond is cut.
    """
    scaled: NDArray[np.float32] = np.rint(rows * (_STEPS * np.float32(rows.shape[1]) ** 0.5))
    return np.clip(scaled, -_OFFSET, _OFFSET - 1)


_ENCODERS = {
    "float": _floats,
    "base64": _base64,
    "ubinary": _ubinary,
    "binary": _binary,
    "int8": _int8,
    "uint8": _uint8,
}
"""The first four are the contract's; int8 and uint8 are for Cohere's clients."""
