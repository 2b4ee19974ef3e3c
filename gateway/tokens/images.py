"""P: tokens of an image that came inline, from the size in its header."""

from __future__ import annotations

import binascii
from io import BytesIO
from typing import TYPE_CHECKING

import pybase64

if TYPE_CHECKING:
    from gateway.catalogue.model import Tiles

_HEADER_CHARACTERS = 174_764
"""Base64 of 128 KiB: a photograph's size stands behind its colour profile and its thumbnail."""

_PREFIX_CHARACTERS = 256
"""Within these a data URI says what it is (`data:image/png;base64,`)."""

_READS = 512
"""A header that takes more steps to read is not one: 0.3 ms, where one made for it would take 20."""

_LONGEST_SIDE = 65_535
_FORMATS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")


class _Header(BytesIO):
    """Bytes that end early for a reader who takes too many steps."""

    steps = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.steps += 1
        return super().read(size) if self.steps <= _READS else b""


def image_size(value: str) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF, WebP or BMP image, as base64 or data URI.

    None for anything else: a URL, another format, a header that is broken or too long.
    """
    start = value.find(",", 0, _PREFIX_CHARACTERS) + 1 if value[:5].lower() == "data:" else 0
    coded = value[start : start + _HEADER_CHARACTERS]
    try:
        header = pybase64.b64decode(coded[: len(coded) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return None
    if not header.startswith(_FORMATS):
        return None
    import imagesize  # noqa: PLC0415 - it loads an XML parser, 1 MB that few workers ever need

    width, height = imagesize.get(_Header(header))
    return (width, height) if min(width, height) > 0 and max(width, height) <= _LONGEST_SIDE else None


def tile_tokens(width: int, height: int, tiles: Tiles) -> int:
    """Tokens of an image by a model's rule: whole squares that cover it."""
    return -(-width // tiles.side) * -(-height // tiles.side) * tiles.tokens
