"""P: images, PDFs, videos and sounds as clients write them → a URL that may be followed, or bytes known by digest."""

from __future__ import annotations

import binascii
import re
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pybase64
from pydantic_core import PydanticCustomError

from gateway.vocabulary import Inline, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.vocabulary import Json, Piece

MAX_BYTES = {Modality.IMAGE: 8_388_608, Modality.PDF: 8_388_608}
"""8 MB (API documentation), the larger reading of it; videos and sounds end at the size of a body."""

LONGEST_URL = 8_192
"""Characters; signed addresses of object stores have a few thousand."""

_PIECE = 1_048_576
"""Characters that are cleaned or decoded at once: half a millisecond, after which other threads may run."""

_BROKEN_LINES = 1.05
"""Base64 in lines of 76 is so much longer, and a little."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_LINE_ENDS = b"\t\r\n"
"""No spaces: one within base64 was a plus sign before somebody decoded it as part of a URL."""

_HEADER_CHARACTERS = 256
_FIRST_CHARACTERS = 64


class MediaError(Exception):
    """A value is no media; `reason` has a type and a sentence for the client."""

    def __init__(self, kind: str, message: str, **context: Json) -> None:
        super().__init__(message)
        self.reason = PydanticCustomError(kind, message, context)


def read_media(modality: Modality, value: str) -> Piece:
    """A part of URL, or of the bytes in base64 or a data URI.

    The same bytes in any of their spellings (data URI or bare, with or without padding, in lines, either alphabet) are
    equal parts. Sizes are told from lengths, so nothing too large is decoded.

    Raises:
        MediaError: neither, or too large.
    """
    text = value.strip() if value[:1].isspace() or value[-1:].isspace() else value
    scheme = _SCHEME.match(text[:_FIRST_CHARACTERS])
    if scheme is None:
        return _inline(modality, text, 0)
    name = scheme[1].lower()
    if name == "data":
        return _inline(modality, text, _after_header(text))
    if name not in {"http", "https"}:
        raise MediaError("url_scheme", "URL scheme should be 'http' or 'https'")
    return Part(modality, _checked_url(text))


def inline(modality: Modality, content: bytes) -> Inline:
    """A part of bytes that are at hand."""
    return Inline(modality, pybase64.b64encode(content).decode("ascii"), sha256(content).digest())


def _checked_url(text: str) -> str:
    try:
        host = urlsplit(text).hostname if len(text) <= LONGEST_URL and not _UNSAFE.search(text) else None
    except ValueError:
        host = None
    if not host:
        raise MediaError("url_parsing", "Input should be a valid URL")
    return text


def _after_header(text: str) -> int:
    """Where the data of a data URI begin (RFC 2397)."""
    comma = text.find(",", 0, _HEADER_CHARACTERS)
    if comma < 0 or not text[:comma].lower().replace(" ", "").endswith(";base64"):
        raise MediaError("base64_decode", "A data URI should be 'data:TYPE;base64,DATA'")
    return comma + 1


def _inline(modality: Modality, text: str, start: int) -> Inline:
    _check_size(modality, int((len(text) - start) / _BROKEN_LINES) * 3 // 4)
    try:
        coded = _cleaned(text[start:].encode("ascii"))
        _check_size(modality, len(coded) // 4 * 3 - coded.count(b"=", -2))
        digest = sha256()
        for piece in _pieces(coded):
            digest.update(pybase64.b64decode(piece, validate=True))
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise MediaError("base64_decode", "Input should be an http(s) URL, base64 or a data URI") from None
    if not coded:
        raise MediaError("base64_decode", "Input should not be empty")
    return Inline(modality, coded.decode("ascii"), digest.digest())


def _check_size(modality: Modality, size: int) -> None:
    most = MAX_BYTES.get(modality)
    if most is not None and size > most:
        message = "Data should have at most {max_length} bytes"
        raise MediaError("bytes_too_long", message, max_length=most)


def _cleaned(coded: bytes) -> bytes:
    """Base64 in the standard alphabet, padded, in one line."""
    plain = b"".join([piece.translate(_STANDARD, _LINE_ENDS) for piece in _pieces(coded)]).rstrip(b"=")
    return plain + b"=" * (-len(plain) % 4)


def _pieces(coded: bytes) -> Iterator[bytes]:
    """Each but the last has whole quantums of four."""
    for start in range(0, len(coded), _PIECE):
        yield coded[start : start + _PIECE]
