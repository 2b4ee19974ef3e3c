"""E: memory that the C library keeps after large lists goes back to the system once a worker has little to do."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Clock

LOOK_SECONDS = 2.0
QUIET = 0.25
"""Share of a processor below which a worker has little to do. Giving 100 MB back takes some 10 ms, in which nobody gets
memory, and to have them again takes as much: under load both would be spent for nothing."""

WORTH_BYTES = 2_097_152
"""What is free, and what it or the process has grown by since the last time, for it to be worth that; the library
counts as free what it has given back, too."""


_FREE = 8
"""Place of `fordblks` in the ten sizes of glibc's struct mallinfo2 (malloc.h)."""


class _Mallinfo2(ctypes.Structure):
    _fields_ = (("sizes", ctypes.c_size_t * 10),)
    sizes: ctypes.Array[ctypes.c_size_t]


@dataclass(frozen=True, slots=True)
class Heap:
    """What is asked of the C library, and of the system: bytes free, to give them back, bytes resident, CPU seconds."""

    free: Callable[[], int]
    trim: Callable[[], object]
    resident: Callable[[], int]
    spent: Callable[[], float]


def heap() -> Heap | None:
    """This process's; None where the C library is another or before 2.33."""
    try:
        library = ctypes.CDLL(None)
        told, trim = library.mallinfo2, library.malloc_trim
        _resident()
    except (OSError, AttributeError):
        return None
    told.restype = _Mallinfo2
    return Heap(lambda: int(told().sizes[_FREE]), lambda: trim(0), _resident, _spent)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def _spent() -> float:
    times = os.times()
    return times.user + times.system


class Slack:
    """One for a worker; does nothing without a heap."""

    def __init__(self, clock: Clock, known: Heap | None) -> None:
        self._clock = clock
        self._heap = known
        self._floor = self._spare = 0

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        if self._heap is None:
            return
        self._floor, self._spare = await asyncio.to_thread(self._heap.resident), self._heap.free()
        while True:
            before, began = self._heap.spent(), self._clock.monotonic()
            await self._clock.sleep(LOOK_SECONDS)
            if self._heap.spent() - before < QUIET * (self._clock.monotonic() - began):
                await asyncio.to_thread(self._look, self._heap)

    def _look(self, known: Heap) -> None:
        """In a thread: others run meanwhile, until they want memory, too."""
        resident, free = known.resident(), known.free()
        self._floor, self._spare = min(resident, self._floor), min(free, self._spare)
        # What was in use when it last gave back is freed without the process growing.
        gained = max(resident - self._floor, free - self._spare)
        if gained >= WORTH_BYTES and free >= WORTH_BYTES:
            known.trim()
            self._floor, self._spare = known.resident(), known.free()
