"""P: the chunked transfer coding (RFC 9112, 7.1), read as it comes."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING

from gateway.http1.head import BrokenError

if TYPE_CHECKING:
    from io import BytesIO

LONGEST_LINE = 8_190
LONGEST_TRAILERS = 65_536

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")


class _Next(Enum):
    SIZE = auto()
    DATA = auto()
    END = auto()
    TRAILER = auto()


class Chunks:
    """One body. Trailers are read and dropped."""

    __slots__ = ("_early", "_left", "_next", "_trailers")

    def __init__(self) -> None:
        self._early = b""
        self._left = 0
        self._next = _Next.SIZE
        self._trailers = 0

    def feed(self, data: bytes, body: BytesIO) -> bytes | None:
        """Write what the next bytes have of the body; at its end, what came after it. Raises BrokenError."""
        data = self._early + data if self._early else data
        self._early = b""
        at = 0
        while True:
            if self._next is _Next.DATA:
                wrote = body.write(data[at : at + self._left])
                at += wrote
                self._left -= wrote
                if self._left:
                    return None
                self._next = _Next.END
            end = data.find(b"\r\n", at)
            if end < 0:
                self._early = data[at:]
                if len(self._early) > LONGEST_LINE or b"\n" in self._early:
                    raise BrokenError("a chunk without a line end")
                return None
            if self._line(data[at:end]):
                return data[end + 2 :]
            at = end + 2

    def _line(self, line: bytes) -> bool:
        """One line of the coding; True after the last one."""
        if self._next is _Next.TRAILER:
            self._trailers += len(line)
            if self._trailers > LONGEST_TRAILERS:
                raise BrokenError("too many trailers")
            return not line
        if self._next is _Next.END:
            if line:
                raise BrokenError("a chunk that is longer than it says")
            self._next = _Next.SIZE
            return False
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BrokenError("a chunk without a size")
        self._left = int(found[1], 16)
        self._next = _Next.DATA if self._left else _Next.TRAILER
        return False
