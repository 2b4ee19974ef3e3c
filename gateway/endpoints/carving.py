"""P: a body's JSON, read without the pictures in it: each is cut out as it stands, and put back when the rest is read.

A JSON parser holds the interpreter for as long as it runs, some milliseconds a megabyte, in whatever thread.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.vocabulary import Json

LARGE = 1_048_576
"""Bytes of a body from which on it is looked through."""

_LONG = 65_536
"""Bytes of a string that is cut out."""

_PIECE = 1_048_576
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="
_DATA = re.compile(rb'data:[^",\\\x00-\x20\x7f-\xff]{0,200};base64,', re.IGNORECASE)


def read_json(body: bytes) -> Json:
    """What `orjson.loads` gives for a body, and raises."""
    literals = _literals(body) if len(body) > LARGE else ()
    if not literals:
        return orjson.loads(body)
    name = _unused(body, literals)
    rest: list[bytes] = []
    cut: dict[str, str] = {}
    at = 0
    for start, end in literals:
        placeholder = f"{name}{len(cut)}"
        rest += (body[at:start], placeholder.encode())
        cut[placeholder] = body[start:end].decode("ascii")
        at = end
    return _restored(orjson.loads(b"".join([*rest, body[at:]])), cut)


def _literals(body: bytes) -> list[tuple[int, int]]:
    """Where long strings of nothing but base64, or a data URI of it, begin and end."""
    found: list[tuple[int, int]] = []
    at, probe = 0, _LONG
    while probe < len(body):
        start, end = body.rfind(b'"', at, probe) + 1, body.find(b'"', probe)
        if end < 0:
            break
        if start > 0 and end - start > _LONG and _is_data(body, start, end):
            found.append((start, end))
        at = end
        probe = end + _LONG
    return found


def _is_data(body: bytes, start: int, end: int) -> bool:
    """Whether what stands between two quotation marks is such a string.

    What follows a closing mark begins with a comma, colon, bracket or space, so the first mark opens a string, or is
    escaped within one.
    """
    if body[max(0, start - 2) : start - 1] == b"\\":
        return False
    header = _DATA.match(body, start, end)
    first = header.end() if header else start
    pieces = (body[at : min(at + _PIECE, end)] for at in range(first, end, _PIECE))
    return not any(piece.translate(None, _BASE64) for piece in pieces)


def _unused(body: bytes, literals: Sequence[tuple[int, int]]) -> str:
    """The beginning of a string that the rest of the body does not have, unless it is escaped there.

    Who escapes it gets another of their own pictures.
    """
    edges = [0, *[edge for literal in literals for edge in literal], len(body)]
    rest = [body[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]
    name = "cut out "
    while any(name.encode() in piece for piece in rest):
        name += "!"
    return name


def _restored(value: Json, cut: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return cut.get(value, value)
    if isinstance(value, list):
        return [_restored(entry, cut) for entry in value]
    if isinstance(value, dict):
        return {cut.get(name, name): _restored(entry, cut) for name, entry in value.items()}
    return value
