"""P: a cached answer as bytes: header, proof, payload, extra."""

from __future__ import annotations

import hmac
import struct

from gateway.plan.origin import ORIGIN_BYTES
from gateway.vocabulary import FLOAT_BYTES, SCORE_BYTES, Answer, Shape

VERSION = 3
HEADER = struct.Struct(f"<BBBxIQIIII{ORIGIN_BYTES}s")
"""Version, shape, length of the proof, width, tokens, lengths of payload and extra, when it was made (seconds since
1970), what its share of the backend call took (µs), tags of model and tenant: 48 bytes."""

CLAIMED = b"\0"
"""Begins what stands where an answer will be, and no entry: versions begin with 1."""

_LARGEST = 2**32 - 1

_SHAPES = (Shape.DENSE, Shape.MULTI, Shape.SPARSE, Shape.SCORE, Shape.RANKING, Shape.VERBATIM, Shape.LABELS)
"""Stored by position: append only."""


def encode(proof: bytes, answer: Answer) -> bytes:
    """The entry for `answer`, which only `proof` opens. `proof` has at most 255 bytes."""
    header = HEADER.pack(
        VERSION,
        _SHAPES.index(answer.shape),  # most are the first; an enum's hash is a call of its own
        len(proof),
        answer.width,
        answer.tokens,
        len(answer.payload),
        len(answer.extra),
        min(answer.made, _LARGEST),
        min(answer.micros, _LARGEST),
        answer.origin,
    )
    return b"".join((header, proof, answer.payload, answer.extra))


def decode(proof: bytes, entry: bytes) -> Answer | None:
    """The answer in `entry`, None when the proof differs or when it is not a whole entry of this version."""
    if len(entry) < HEADER.size:
        return None
    version, code, proof_length, width, tokens, payload_length, extra_length, made, micros, origin = HEADER.unpack_from(
        entry
    )
    payload_at = HEADER.size + proof_length
    extra_at = payload_at + payload_length
    if version != VERSION or code >= len(_SHAPES) or len(entry) != extra_at + extra_length:
        return None
    if not hmac.compare_digest(entry[HEADER.size : payload_at], proof):
        return None
    shape = _SHAPES[code]
    if not _plausible(shape, width, payload_length):
        return None
    return Answer(shape, entry[payload_at:extra_at], width, tokens, entry[extra_at:], made, micros, origin)


def _plausible(shape: Shape, width: int, length: int) -> bool:
    if shape is Shape.DENSE or shape is Shape.MULTI:
        return width > 0 and length > 0 and length % (FLOAT_BYTES * width) == 0
    return length == SCORE_BYTES if shape is Shape.SCORE else length > 0
