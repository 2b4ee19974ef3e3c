"""E: a process's journal of what the ledger may not have yet: files in shared memory, which outlive the process."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.stores.segment import SEGMENT_BYTES, Segment, batches_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.vocabulary import Account, Batch, Tally

_log = logging.getLogger("gateway.journal")

MOST_SEGMENTS = 64
"""64 MiB: half a million requests or more while the store is away."""

_LOCK = "lock"
_NEW = "."
"""Begins the name of a folder that is not ready yet, which nobody adopts."""


@dataclass(slots=True)
class _Kept:
    """A full segment: `last` is the sequence of the last batch that is in it."""

    segment: Segment
    last: int


class FileJournal:
    """ports.Journal in a folder of its own below `root`; a lock on it says that its process lives.

    A write to a shared mapping is in the system's hands at once, so SIGKILL takes nothing of it. A crash of the whole
    machine may: up to the moment of the last flush.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, root: Path, writer: str, segment_bytes: int = SEGMENT_BYTES, most: int = MOST_SEGMENTS) -> None:
        self.writer = writer
        self._root = root
        self._folder = root / writer
        self._bytes = segment_bytes
        self._most = most
        self._next = 1
        self._unread: set[str] = set()
        self._kept: deque[_Kept] = deque()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = root / f"{_NEW}{writer}"
        draft.mkdir(mode=0o700)
        lock = _lock(draft)
        if lock is None:
            raise BlockingIOError(f"{draft} is locked")
        self._lock = lock
        self._current = Segment.create(draft / _name(1), 1, segment_bytes)
        draft.rename(self._folder)

    def append(self, account: Account, tally: Tally) -> bool:
        """Keep an entry; False when the segment is full."""
        return self._current.append(account, tally)

    def cut(self) -> int:
        """End a batch. A full segment ends with a cut, so that no batch is in two of them."""
        sequence, self._next = self._next, self._next + 1
        self._current.cut(sequence)
        return sequence

    def extend(self) -> bool:
        """A new segment; False when there are as many as there may be, or the disk is full."""
        if len(self._kept) + 1 >= self._most:
            return False
        try:
            fresh = Segment.create(self._folder / _name(self._next), self._next, self._bytes)
        except OSError:
            return False
        self._kept.append(_Kept(self._current, self._next - 1))
        self._current = fresh
        return True

    async def release(self, sequence: int) -> None:
        """Remove the full segments of which nothing is needed any more."""
        done: list[Segment] = []
        while self._kept and self._kept[0].last <= sequence:
            done.append(self._kept.popleft().segment)
        if done:
            await asyncio.to_thread(_remove, done, self._folder)

    async def orphans(self) -> list[OrphanedJournal]:
        """Journals of processes that ended; a live one is locked."""
        return await asyncio.to_thread(_adopt, self._root, self._unread)

    async def close(self) -> None:
        """Leave it to whoever comes next; that one drops it when everything is in the ledger."""
        for entry in self._kept:
            entry.segment.close()
        self._current.close()
        os.close(self._lock)


class OrphanedJournal:
    """ports.Orphan: locked by this process until it is dropped or left."""

    def __init__(self, folder: Path, lock: int, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self._folder = folder
        self._lock = lock

    async def drop(self) -> None:
        """Remove it."""
        await asyncio.to_thread(self._remove)
        self.leave()

    def leave(self) -> None:
        """Unlock it."""
        os.close(self._lock)

    def _remove(self) -> None:
        # The lock goes last: whoever finds the folder without segments has found nothing to do.
        for path in _segments(self._folder):
            path.unlink(missing_ok=True)
        (self._folder / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # somebody looks at it just now, and finds nothing; it goes the next time
            self._folder.rmdir()


def _name(number: int) -> str:
    return f"{number:016d}.journal"


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def _remove(segments: Sequence[Segment], folder: Path) -> None:
    for segment in segments:
        segment.close()
        (folder / segment.name).unlink(missing_ok=True)


def _lock(folder: Path) -> int | None:
    """The lock of a folder, as a descriptor to close; None when another process has it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _adopt(root: Path, unread: set[str]) -> list[OrphanedJournal]:
    found = []
    for folder in sorted(root.iterdir()):
        if folder.name.startswith(_NEW) or not folder.is_dir():
            continue
        try:
            lock = _lock(folder)
        except OSError:  # another process has just dropped it, or it is not ours to read
            continue
        if lock is None:
            continue
        try:
            batches = [batch for path in _segments(folder) for batch in batches_of(path, folder.name)]
        except (OSError, ValueError) as error:
            os.close(lock)
            if folder.name not in unread:
                unread.add(folder.name)
                _log.warning("the journal %s stays where it is: %s", folder, type(error).__name__)
            continue
        found.append(OrphanedJournal(folder, lock, batches))
    return found
