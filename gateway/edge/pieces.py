"""E: a large body on its way to the client: no more of it exists at once than the client is about to take."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

from aiohttp.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Generator

    from aiohttp.abc import AbstractStreamWriter

STALLED_SECONDS = 20.0
"""A client that does not take a piece (endpoints.embeddings_reply.PIECE_BYTES) for so long is cut off."""


class Pieces(Payload):
    """A body of unknown length. The next piece is made once the client has taken the one before.

    Between two pieces the event loop serves others. A client that is gone, or is cut off, ends the making.
    """

    _autoclose = True

    def __init__(self, pieces: Generator[bytes, None, None], transport: asyncio.Transport | None) -> None:
        super().__init__(pieces)
        self._pieces = pieces
        self._transport = transport

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all pieces.

        Raises:
            ConnectionError: the client is gone, or takes nothing for STALLED_SECONDS.
        """
        with closing(self._pieces) as pieces:  # or a failure, which refers to this frame, would keep the answers
            for piece in pieces:
                try:
                    async with asyncio.timeout(STALLED_SECONDS):
                        await writer.write(piece)
                except TimeoutError:
                    self._cut_off()
                await asyncio.sleep(0)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> NoReturn:
        """Not for a body that can be gone through once only."""
        raise TypeError(f"no text of a body that is sent as it is made ({encoding}, {errors})")

    def _cut_off(self) -> NoReturn:
        # Closing would wait until the client has taken what is on its way already: for ever.
        if self._transport is not None:
            self._transport.abort()
        raise ConnectionResetError("the client takes nothing")
