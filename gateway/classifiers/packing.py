"""P: a classifier as bytes: head, labels as JSON, weights and biases as little-endian float32."""

from __future__ import annotations

import struct

import numpy as np
import orjson

from gateway.classifiers.linear import Linear

_HEAD = struct.Struct("<BxxxIIQ")
"""Form, bytes of labels, width, steps."""

_FORM = 1


def packed(linear: Linear) -> bytes:
    """The bytes; weights are rounded to float32."""
    labels = orjson.dumps(linear.labels)
    numbers = np.hstack([linear.weights, linear.bias[:, None]]).astype("<f4")
    return _HEAD.pack(_FORM, len(labels), linear.width, linear.steps) + labels + numbers.tobytes()


def unpacked(stored: bytes) -> Linear:
    """The inverse of `packed`.

    Raises:
        ValueError: these are no such bytes.
    """
    try:
        form, length, width, steps = _HEAD.unpack_from(stored)
        labels = tuple(orjson.loads(stored[_HEAD.size : _HEAD.size + length]))
        numbers = np.frombuffer(stored, dtype="<f4", offset=_HEAD.size + length).reshape(len(labels), width + 1)
    except (struct.error, ValueError, TypeError) as error:
        raise ValueError("not a classifier") from error
    if form != _FORM:
        raise ValueError("a classifier of another form")
    wide = numbers.astype(np.float64)
    return Linear(labels, wide[:, :-1], wide[:, -1], steps)
