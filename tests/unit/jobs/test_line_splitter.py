from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AddressError
from gateway.jobs.line_splitter import LineSplitter

BOM = b"\xef\xbb\xbf"


def split(chunks: list[bytes], longest: int = 10) -> list[bytes]:
    splitter = LineSplitter(longest)
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*found, *splitter.end()]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\n\r\nb\r\n", [b"a", b"", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"a\rb\n", [b"a\rb"]),
        (BOM + b"a\n" + BOM + b"b", [b"a", BOM + b"b"]),
        (BOM, []),
        (b"0123456789\r\n0123456789", [b"0123456789"] * 2),
    ],
)
def test_lines_are_the_same_however_they_come(content: bytes, lines: list[bytes]) -> None:
    assert split([content]) == lines
    assert split([content[at : at + 1] for at in range(len(content))]) == lines


@given(st.lists(st.binary(max_size=12).filter(lambda text: not text.startswith((b"PK", b"BZ"))), max_size=8))
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    if whole[:2] in {b"\x1f\x8b", b"PK", b"BZ", b"\x28\xb5", b"\xfd7"}:
        return
    assert split(chunks, 100) == split([whole], 100)


@pytest.mark.parametrize("length", [11, 12, 13, 14, 100])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\r\n"])
def test_too_long_a_line_comes_with_one_byte_too_many_and_spoils_no_other(length: int, end: bytes) -> None:
    content = b"a\n" + b"x" * length + end + (b"b" if end else b"")
    lines = [b"a", b"x" * 11, *([b"b"] if end else [])]
    assert split([content]) == lines
    assert split([content[at : at + 1] for at in range(len(content))]) == lines


def test_a_carriage_return_too_many_is_a_byte_too_many() -> None:
    assert split([b"0123456789\r\r\n"]) == [b"0123456789\r"]


def test_no_more_is_kept_of_an_endless_line_than_may_be() -> None:
    splitter = LineSplitter(10)
    for _ in range(1_000):
        assert list(splitter.feed(b"x" * 1_000)) == []
        assert len(splitter._line) <= 12
    assert list(splitter.end()) == [b"x" * 11]


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh9", "bzip2")],
)
def test_what_is_compressed_is_refused_by_name(beginning: bytes, kind: str) -> None:
    for chunks in ([beginning], [bytes([byte]) for byte in beginning]):
        with pytest.raises(AddressError, match=kind):
            split(chunks)
