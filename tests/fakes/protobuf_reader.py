"""Reads protobuf messages without knowing them, for tests of what we write."""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import TypeAlias

Fields: TypeAlias = "defaultdict[int, list[int | float | bytes]]"


def fields(body: bytes) -> Fields:
    """Values by number of field; messages, strings and packed numbers are bytes."""
    found: Fields = defaultdict(list)
    at = 0
    while at < len(body):
        key, at = number(body, at)
        match key & 7:
            case 0:
                value, at = number(body, at)
                found[key >> 3].append(value)
            case 1:
                found[key >> 3].append(struct.unpack_from("<d", body, at)[0])
                at += 8
            case 2:
                length, at = number(body, at)
                found[key >> 3].append(body[at : at + length])
                at += length
            case kind:
                raise AssertionError(kind)
    assert at == len(body)
    return found


def messages(stream: bytes) -> list[Fields]:
    """Of a stream in which a length is before each."""
    found, at = [], 0
    while at < len(stream):
        length, at = number(stream, at)
        found.append(fields(stream[at : at + length]))
        at += length
    return found


def inner(message: Fields, field: int) -> Fields:
    """The one message in a field."""
    (body,) = message[field]
    assert isinstance(body, bytes)
    return fields(body)


def signed(body: object) -> list[int]:
    """Packed numbers of type sint64."""
    assert isinstance(body, bytes)
    found, at = [], 0
    while at < len(body):
        value, at = number(body, at)
        found.append(value >> 1 ^ -(value & 1))
    return found


def number(body: bytes, at: int) -> tuple[int, int]:
    """A varint, and the place behind it."""
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
