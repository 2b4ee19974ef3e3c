"""E: a large answer on the fast path, sent in pieces, each when the client has taken the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.edge.pieces import STALLED_SECONDS
from gateway.endpoints.embeddings_reply import PIECE_BYTES

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from gateway.endpoints.embeddings_parts import Piece

_LAST = b"0\r\n\r\n"


class Streamed(NamedTuple):
    """A response whose body is made while it is sent."""

    head: bytes
    pieces: Generator[Piece]


class Taker(Protocol):
    """A connection, as far as it says whether its client takes what is sent."""

    _paused: bool


class Flow:
    """One answer's way to its client, chunked (RFC 9112 §7.1), as edge.pieces has it on the pipeline's way.

    Others are served between two pieces. A client that is gone, or takes longer than STALLED_SECONDS for as much as a
    piece has there, ends it.
    """

    __slots__ = ("_done", "_due", "_loop", "_pieces", "_taker", "_transport")

    def __init__(
        self, taker: Taker, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, done: Callable[[], None]
    ) -> None:
        """`done` is called once the last piece is on its way."""
        self._taker = taker
        self._transport = transport
        self._loop = loop
        self._done = done
        self._pieces: Generator[Piece] | None = None
        self._due: asyncio.TimerHandle | None = None

    def begin(self, answer: Streamed) -> None:
        """Send the head and the first piece."""
        self._pieces = answer.pieces
        self._transport.write(answer.head)
        self._send()

    def resume(self) -> None:
        """The client has taken what was sent."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
            self._loop.call_soon(self._send)

    def lost(self) -> None:
        """The client is gone."""
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            pieces.close()
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _send(self) -> None:
        if self._pieces is None:
            return
        try:
            piece = next(self._pieces, None)
        except Exception:  # a defect: the answer has begun, so its end is all that can tell
            self._transport.abort()
            raise
        if piece is None:
            self._pieces = None
            self._transport.write(_LAST)
            self._done()
            return
        self._transport.writelines((b"%x\r\n" % piece.size, *piece.parts, b"\r\n"))
        if self._taker._paused:  # noqa: SLF001 - aiohttp's word for it
            seconds = STALLED_SECONDS * max(1.0, piece.size / PIECE_BYTES)
            self._due = self._loop.call_later(seconds, self._transport.abort)
        else:
            self._loop.call_soon(self._send)
