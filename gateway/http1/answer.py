"""P: one HTTP/1.1 response put together as its bytes come, within bounds."""

from __future__ import annotations

import zlib
from io import BytesIO

from gateway.http1.chunks import Chunks
from gateway.http1.head import BrokenError, Head, response_head

LONGEST_HEAD = 65_536
MOST_INTERIM = 16
_FINAL = 200
_SWITCHING = 101
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class TooLargeError(Exception):
    """The body has more bytes than its reader wants."""


class Answer:
    """The response to one request of `method`, with a body of at most `limit` bytes. Interim ones (1xx) are skipped."""

    __slots__ = ("_body", "_chunks", "_early", "_interim", "_left", "_limit", "_method", "_whole", "begun", "head")

    def __init__(self, method: str, limit: int) -> None:
        self._method = method
        self._limit = limit
        self._early = bytearray()
        self._interim = 0
        self._left: int | None = None
        self._body: BytesIO | None = None
        self._chunks: Chunks | None = None
        self._whole = b""
        self.begun = False
        self.head: Head | None = None

    def feed(self, data: bytes) -> bytes | None:
        """Read on; once the response is complete, what came after it.

        Raises:
            BrokenError: this is no response.
            TooLargeError: its body is, or will be, too large.
        """
        self.begun = True
        if self.head is None:
            rest = self._begin(data)
            if rest is None:
                return None
            if self._left is not None and len(rest) >= self._left:  # all at once, as most answers come
                self._whole = rest[: self._left]
                return rest[self._left :]
            data = rest
        return self._go_on(data)

    def end(self) -> bool:
        """The connection ended: whether that is the response's end, too."""
        return self.head is not None and self._chunks is None and self._left is None

    def body(self) -> bytes:
        """The whole body, decompressed.

        Raises:
            BrokenError: it cannot be.
            TooLargeError: it has more bytes than that then.
        """
        body = self._whole if self._body is None else self._body.getvalue()
        coding = "" if self.head is None else self.head.headers.get("content-encoding", "")
        return _plain(body, coding.lower(), self._limit) if coding and body else body

    def _begin(self, data: bytes) -> bytes | None:
        """What follows the head of the final response, once that is there."""
        start = 0
        if self._early:  # searched already, but for a line end that is in two pieces
            start = max(0, len(self._early) - 3)
            self._early += data
        while True:
            end = (self._early or data).find(b"\r\n\r\n", start, LONGEST_HEAD)
            if end < 0:
                self._early = self._early or bytearray(data)
                if len(self._early) >= LONGEST_HEAD:
                    raise BrokenError("too long a head")
                return None
            if self._early:
                data, self._early = bytes(self._early), bytearray()
            start = 0
            head = response_head(data[:end], self._method)
            data = data[end + 4 :]
            if head.status >= _FINAL:
                break
            self._interim += 1
            if head.status == _SWITCHING or self._interim > MOST_INTERIM:
                raise BrokenError("another protocol, or too many interim responses")
        if head.length is not None and head.length > self._limit:
            raise TooLargeError
        self.head, self._left = head, head.length
        if head.chunked:
            self._chunks = Chunks()
        return data

    def _go_on(self, data: bytes) -> bytes | None:
        body = self._body = self._body or BytesIO()
        rest: bytes | None = None
        if self._chunks is not None:
            rest = self._chunks.feed(data, body)
        elif self._left is None:
            body.write(data)
        elif len(data) < self._left:
            self._left -= body.write(data)
        else:
            body.write(data if len(data) == self._left else data[: self._left])
            rest, self._left = data[self._left :], 0
        if body.tell() > self._limit:
            raise TooLargeError
        return rest


def _plain(body: bytes, coding: str, limit: int) -> bytes:
    """A body as it was before `coding`, which we ask nobody for."""
    if coding == "identity":
        return body
    window = _WINDOW.get(coding)
    if window is None:
        raise BrokenError("an unknown content coding")
    if coding == "deflate" and body[0] & 0x0F != zlib.DEFLATED:  # without zlib's own header, as some send it
        window = -zlib.MAX_WBITS
    inflate = zlib.decompressobj(window)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error as error:
        raise BrokenError("a body that cannot be decompressed") from error
    if len(plain) > limit:
        raise TooLargeError
    if not inflate.eof:
        raise BrokenError("half a compressed body")
    return plain
