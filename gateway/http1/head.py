"""P: heads of HTTP/1.1 requests and responses (RFC 9112), strictly: what may be read in two ways is not read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE = 8_190
MOST_FIELDS = 128

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OURS = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
"""Fields of a request that say how the connection is used."""

_ONCE = frozenset({"content-length", "transfer-encoding"})
_NO_BODY = frozenset({204, 304})
_DEFAULTS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "gateway"}


class BrokenError(Exception):
    """What came is no answer that we can be sure to read as its sender meant it. The text quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """A response's head; names are lower case, the last field of a name counts.

    `length` is the body's bytes, None where they are chunked or end with the connection. `lasts`: whether the
    connection may serve another call.
    """

    status: int
    headers: Mapping[str, str]
    length: int | None
    chunked: bool
    lasts: bool


def known(headers: Mapping[str, str]) -> bool:
    """Whether a request with these fields is one that `request_head` makes: none of them is about the connection."""
    return _OURS.isdisjoint(map(str.lower, headers))


def request_head(method: str, target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """A request's head, for a body of `length` bytes; `headers` go before what is sent by default.

    Raises:
        ValueError: a field has a line end or another control character in it.
    """
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    given = set()
    for name, value in headers.items():
        lines.append(f"{name}: {value}")
        given.add(name.lower())
    lines += [f"{name}: {value}" for name, value in _DEFAULTS.items() if name not in given]
    if length and "content-type" not in given:
        lines.append("content-type: application/octet-stream")
    if length or method not in {"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"}:
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or _CONTROL.search(text):
        raise ValueError("a header has a control character in it")
    return f"{text}\r\n\r\n".encode()


def response_head(data: bytes, method: str) -> Head:
    """The head of an answer to `method`, without the empty line at its end.

    Raises:
        BrokenError: it is none, too long, or says two things about its length.
    """
    text = data.decode("utf-8", "surrogateescape")
    first, *lines = text.split("\r\n")
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise BrokenError("no status line")
    if len(lines) > MOST_FIELDS or text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise BrokenError("lines that are none, or too many")
    if _CONTROL.search(text):
        raise BrokenError("a control character in a header")
    headers = _fields(lines)
    status = int(found[2])
    length, chunked = _framing(headers)
    if status in _NO_BODY or method == "HEAD":
        length, chunked = 0, False
    return Head(status, headers, length, chunked, _lasts(headers, found[1]) and (chunked or length is not None))


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or _NAME.fullmatch(name) is None or len(line) > LONGEST_LINE:
            raise BrokenError("a header that is none, or is too long")
        name = name.lower()
        if name in headers and name in _ONCE:
            raise BrokenError("two lengths")
        headers[name] = value.strip(" \t")
    return headers


def _framing(headers: Mapping[str, str]) -> tuple[int | None, bool]:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise BrokenError("a transfer coding that is not chunked alone")
        return None, True
    if length is None:
        return None, False
    if _LENGTH.fullmatch(length) is None:
        raise BrokenError("a length that is none")
    return int(length), False


def _lasts(headers: Mapping[str, str], minor: str) -> bool:
    connection = headers.get("connection")
    if connection is None:
        return minor == "1"
    words = {word.strip().lower() for word in connection.split(",")}
    return "close" not in words and (minor == "1" or "keep-alive" in words)
