"""C: reads a job's input once and cuts it into chunks, so that any worker may go on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import AddressError, TransportError
from gateway.jobs.holding import PutOff
from gateway.jobs.lifecycle import JobFailed, part, whole_input
from gateway.jobs.lines import keep, without

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.config.snapshot import Snapshot
    from gateway.jobs.holding import Hold
    from gateway.ports import Clock
    from gateway.ports.files import Files, InputSource
    from gateway.ports.jobs import Order

CHUNK_BYTES = 4_194_304
"""A chunk is full at this size, however few lines it has."""

PATIENCE = 600
"""Seconds after its creation that a job's input may be out of reach."""

_AGAIN = 10.0


class Preparation:
    """One for a worker."""

    def __init__(self, files: Files, source: InputSource, snapshot: Callable[[], Snapshot], clock: Clock) -> None:
        self._files = files
        self._source = source
        self._snapshot = snapshot
        self._clock = clock

    async def run(self, hold: Hold) -> tuple[int, int]:
        """Chunks and lines. What a worker that died left behind is written anew.

        Raises:
            PutOff: the input is out of reach now.
            JobFailed: it stays so, may not be read, or is too long.
            StoreError: of the files.
        """
        order = hold.turn.batch.order
        try:
            return await self._cut(hold, order)
        except AddressError as error:
            raise JobFailed(f"The address of the input {error}") from None
        except TransportError as error:
            if self._clock.epoch() >= order.created + PATIENCE:
                raise JobFailed("The input could not be read from its address") from error
            raise PutOff(_AGAIN) from None

    async def _cut(self, hold: Hold, order: Order) -> tuple[int, int]:
        config = self._snapshot().config
        number = total = chunks = size = 0
        waiting: list[bytes] = []
        async for text in self._lines(order):
            number += 1
            if not text.strip():
                continue
            total += 1
            if total > config.jobs.max_inputs:
                raise JobFailed(f"The input has more than {config.jobs.max_inputs:,} lines")
            fits = len(text) <= config.server.body_limit
            waiting.append(keep(number, text) if fits else without(number, "is longer than a request may be"))
            size += len(text)
            if len(waiting) == config.jobs.chunk or size >= CHUNK_BYTES:
                await self._put(hold, order, chunks, waiting)
                chunks, size, waiting = chunks + 1, 0, []
        if waiting:
            await self._put(hold, order, chunks, waiting)
            chunks += 1
        return chunks, total

    async def _put(self, hold: Hold, order: Order, chunk: int, lines: list[bytes]) -> None:
        if not hold.goes_on:
            raise PutOff(0)
        await self._files.put(part(order.id, "input", chunk), b"".join(lines))

    async def _lines(self, order: Order) -> AsyncIterator[bytes]:
        if order.input_url:
            async for text in self._source.lines(order.input_url):
                yield text
            return
        for text in (await self._files.get(whole_input(order.id)) or b"").splitlines():
            yield text
