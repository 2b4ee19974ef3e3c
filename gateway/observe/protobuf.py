"""P: fields of protobuf messages as bytes, as far as metrics need them (protobuf.dev, encoding)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_MASK = 2**64 - 1
_DOUBLE = struct.Struct("<d").pack


def varint(number: int) -> bytes:
    """An unsigned number below 2 ** 64, seven bits a byte, the lowest first; the high bit says that more follow."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def zigzag(number: int) -> int:
    """A signed number of 64 bits as an unsigned one that is small where its distance from 0 is."""
    return (number << 1 ^ number >> 63) & _MASK


def _key(field: int, kind: int) -> bytes:
    return varint(field << 3 | kind)


def uint(field: int, number: int) -> bytes:
    """A field of type uint32, uint64 or enum."""
    return _key(field, _VARINT) + varint(number)


def sint(field: int, number: int) -> bytes:
    """A field of type sint32 or sint64."""
    return _key(field, _VARINT) + varint(zigzag(number))


def double(field: int, number: float) -> bytes:
    """A field of type double."""
    return _key(field, _FIXED64) + _DOUBLE(number)


def message(field: int, body: bytes) -> bytes:
    """A field that is a message, or bytes."""
    return _key(field, _BYTES) + delimited(body)


def text(field: int, words: str) -> bytes:
    """A field of type string."""
    return message(field, words.encode())


def sints(field: int, numbers: Iterable[int]) -> bytes:
    """A repeated field of type sint64, packed."""
    return message(field, b"".join([varint(zigzag(number)) for number in numbers]))


def delimited(body: bytes) -> bytes:
    """A message behind its length, as several follow each other in a stream."""
    return varint(len(body)) + body
