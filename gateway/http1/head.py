"""P: heads of HTTP/1.1 requests and responses (RFC 9112), strictly: what may be read in two ways is not read."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_LINE = 8_190
MOST_FIELDS = 128
_SHORT = 512

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OURS = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
"""Fields of a request that say how the connection is used."""

_ONCE = frozenset({"content-length", "transfer-encoding"})
_NO_BODY = frozenset({204, 304})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"})
_DEFAULTS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "gateway"}


class BrokenError(Exception):
    """What came is no answer that we can be sure to read as its sender meant it. The text quotes nothing of it."""


@value(frozen=True, slots=True)
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
    return _known(tuple(headers))


@lru_cache(maxsize=256)
def _known(names: tuple[str, ...]) -> bool:
    return _OURS.isdisjoint(map(str.lower, names))


def request_head(method: str, target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """A request's head, for a body of `length` bytes; `headers` go before what is sent by default.

    Raises:
        ValueError: a field has a line end or another control character in it.
    """
    values = tuple(headers.values())
    told = "".join(values)
    if not told.isprintable() and _UNSENDABLE.search(told):
        raise ValueError("a header has a control character in it")
    fields = _frame(method, target, host, tuple(headers), bool(length)) % values
    if length or method not in _BODILESS:
        return f"{fields}content-length: {length}\r\n\r\n".encode()
    return f"{fields}\r\n".encode()


@lru_cache(maxsize=256)
def _frame(method: str, target: str, host: str, names: tuple[str, ...], with_body: bool) -> str:  # noqa: FBT001 - cached
    """The lines of a head, with a gap (%s) for the value of each field: values may be secret, and are not kept."""
    given = {name.lower() for name in names}
    lines = [f"{name}: {value}" for name, value in _DEFAULTS.items() if name not in given]
    if with_body and "content-type" not in given:
        lines.append("content-type: application/octet-stream")
    first = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    if _UNSENDABLE.search("".join([*first, *names])):
        raise ValueError("a header has a control character in it")
    fixed = [[line.replace("%", "%%") for line in some] for some in (first, names)]
    return "\r\n".join([*fixed[0], *[f"{name}: %s" for name in fixed[1]], *lines, ""])


def response_head(data: bytes, method: str) -> Head:
    """The head of an answer to `method`, without the empty line at its end.

    Raises:
        BrokenError: it is none, too long, or says two things about its length.
    """
    return (_read_again if len(data) <= _SHORT else _read)(data, method)


def _read(data: bytes, method: str) -> Head:
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


_read_again = lru_cache(maxsize=64)(_read)
"""Answers of one second that are of one length have one and the same head, often enough."""


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or len(line) > LONGEST_LINE:
            raise BrokenError("a header that is none, or is too long")
        name = _name(name)
        if name in headers and name in _ONCE:
            raise BrokenError("two lengths")
        headers[name] = value.strip(" \t")
    return headers


@lru_cache(maxsize=256)
def _name(written: str) -> str:
    if _NAME.fullmatch(written) is None:
        raise BrokenError("a header that is none, or is too long")
    return written.lower()


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
