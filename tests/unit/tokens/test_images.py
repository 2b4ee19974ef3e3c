from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.model import Tiles
from gateway.catalogue.registry import CATALOGUE
from gateway.tokens import images
from gateway.tokens.images import image_size, tile_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP = Tiles(side=224, tokens=1_000)


def png(width: int, height: int) -> bytes:
    header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, height) + bytes(28)


def webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    """`before`: segments ahead of the frame's own."""
    return b"\xff\xd8" + before + b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + bytes(8)


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("make", [png, gif, bmp, webp, jpeg])
@pytest.mark.parametrize("size", [(500, 333), (1, 2_000)])
def test_a_size_is_read_from_the_header(make: Callable[[int, int], bytes], size: tuple[int, int]) -> None:
    content = coded(make(*size))
    assert image_size(content) == size
    assert image_size(f"data:image/any;base64,{content}") == size


def test_a_photographs_size_stands_behind_its_thumbnail_and_profile() -> None:
    segment = b"\xff\xe2" + struct.pack(">H", 50_002) + bytes(50_000)
    assert image_size(coded(jpeg(640, 480, segment * 2) + bytes(1_000_000))) == (640, 480)


@pytest.mark.parametrize(
    "value",
    [
        "https://example.org/a.png",
        "",
        "data:image/png;base64,",
        "not base64 at all!",
        coded(gif(500, 500))[:8] + "-_-_" + coded(gif(500, 500))[8:],
        coded(b"%PDF-1.7"),
        coded(b"<svg width='9' height='9'>"),
        coded(b"\xff\xd8\xff"),
        coded(png(0, 10)),
        coded(png(70_000, 10)),
        coded(gif(40_000, 10)),
        coded(jpeg(9, 9, b"\xff\xfe\x00\x02" * 30_000)),
        coded(jpeg(9, 9, b"\xff\xd0" * 60_000)),
    ],
)
def test_what_has_no_plain_header_has_no_size(value: str) -> None:
    assert image_size(value) is None


@given(st.sampled_from(images._FORMATS), st.binary(max_size=300))
def test_no_header_is_more_than_unreadable(start: bytes, rest: bytes) -> None:
    size = image_size(coded(start + rest))
    assert size is None or min(size) > 0


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [(500, 500, 9_000), (224, 224, 1_000), (225, 224, 2_000), (1, 1, 1_000), (448, 673, 8_000)],
)
def test_tiles_cover_an_image_and_count_whole(width: int, height: int, tokens: int) -> None:
    assert tile_tokens(width, height, CLIP) == tokens


def test_the_published_rule_is_that_of_clip_v1_only() -> None:
    assert {name: model.tiles for name, model in CATALOGUE.items() if model.tiles} == {"jina-clip-v1": CLIP}
