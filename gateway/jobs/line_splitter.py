"""P: a file of lines that comes in chunks, line by line, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM = b"\xef\xbb\xbf"
_PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"\x28\xb5": "zstd", b"BZ": "bzip2", b"\xfd7": "xz"}
"""How compressed files begin; no JSON does."""


class LineSplitter:
    """Lines end in LF or CRLF; the last may end in nothing. A byte order mark of UTF-8 is no part of the first.

    Of a line of more than `longest` bytes come the first `longest` + 1, so that it can be refused by itself.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._head: bytes | None = b""
        self._line = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that a chunk completes, empty ones among them.

        Raises:
            AddressError: the file is compressed.
        """
        if self._head is not None:
            self._head += chunk
            if len(self._head) < len(_BOM):
                return
            chunk = self._begun(self._head)
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._taken()
        self._add(rest)

    def end(self) -> Iterator[bytes]:
        """The last lines, the very last perhaps without an end. Raises AddressError, as `feed`."""
        if self._head is not None:
            *ended, rest = self._begun(self._head).split(b"\n")
            yield from (part.removesuffix(b"\r") for part in ended)
            self._add(rest)
        if self._line:
            yield self._taken()

    def _begun(self, head: bytes) -> bytes:
        self._head = None
        packed = _PACKED.get(head[:2])
        if packed is not None:
            raise AddressError(f"leads to a file that is compressed ({packed}); put the plain lines there")
        return head.removeprefix(_BOM)

    def _add(self, part: bytes) -> None:
        room = self._longest + 2 - len(self._line)  # one more than is given away: it may be the CR of the line's end
        self._line += part[:room]
        self._cut = self._cut or len(part) > room

    def _taken(self) -> bytes:
        line = bytes(self._line)
        if not self._cut:
            line = line.removesuffix(b"\r")
        self._line.clear()
        self._cut = False
        return line[: self._longest + 1]
