"""E: one file of a journal: entries and cuts, each with its length and a checksum, in a shared mapping."""

from __future__ import annotations

import mmap
import os
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Self
from zlib import crc32

from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEGMENT_BYTES = 1 << 20

_MAGIC = b"GWUSAGE1"
_START = struct.Struct("<8sQ")
"""Magic, sequence of the first batch: 16 bytes."""

_HEAD = struct.Struct("<IHB")
"""Checksum of what follows it, length of the body, kind. A length of zero is where nothing was written."""

_CHECKED_FROM = 4
_ENTRY, _CUT = 1, 2
_NUMBERS = struct.Struct("<I6Q")
_SEQUENCE = struct.Struct("<Q")
_CUT_BYTES = _HEAD.size + _SEQUENCE.size
_SEPARATOR = "\x1f"


class Segment:
    """A file that is written from front to back, once. Room for the cut that ends it is kept."""

    def __init__(self, name: str, mapping: mmap.mmap, sequence: int) -> None:
        self.name = name
        self._mapping = mapping
        self._size = len(mapping)
        self._at = _START.size
        mapping[: _START.size] = _START.pack(_MAGIC, sequence)

    @classmethod
    def create(cls, path: Path, sequence: int, size: int) -> Self:
        """A new file on blocks that are there: writing to a hole on a full disk would be a SIGBUS.

        Takes some microseconds, so it may be done on the event loop once in some thousand requests.

        Raises:
            OSError: there is no room for it, or it exists.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _allocate(descriptor, size)
            return cls(path.name, mmap.mmap(descriptor, size), sequence)
        except OSError:
            os.unlink(path)  # noqa: PTH108 - as everything here
            raise
        finally:
            os.close(descriptor)

    def append(self, account: Account, tally: Tally) -> bool:
        """Write an entry; False when it does not fit."""
        return self._write(_ENTRY, _NUMBERS.pack(account.hour, *tally) + _labels(*account[1:]), _CUT_BYTES)

    def cut(self, sequence: int) -> None:
        """End a batch. After the cut that fills the segment there may be more: of batches that have no entry in it."""
        self._write(_CUT, _SEQUENCE.pack(sequence), 0)

    def _write(self, kind: int, body: bytes, reserved: int) -> bool:
        end = self._at + _HEAD.size + len(body)
        if end + reserved > self._size:
            return False
        record = _HEAD.pack(0, len(body), kind)[_CHECKED_FROM:] + body
        # One copy: what a kill cuts off has a wrong checksum, and nothing is behind it.
        self._mapping[self._at : end] = crc32(record).to_bytes(_CHECKED_FROM, "little") + record
        self._at = end
        return True

    def close(self) -> None:
        """Unmap it; the file stays."""
        self._mapping.close()


def batches_of(path: Path, writer: str) -> list[Batch]:
    """The batches in a file, the one without a cut at the end included; what was not written whole is left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not of this version.
    """
    content = path.read_bytes()
    if not any(content[: _START.size]):  # its process died before it wrote anything
        return []
    if not content.startswith(_MAGIC) or len(content) < _START.size:
        raise ValueError(f"{path} is not a journal of this version")
    _, sequence = _START.unpack_from(content)
    batches: list[Batch] = []
    tallies: dict[Account, Tally] = {}
    for kind, body in _records(content):
        if kind == _CUT:
            (ended,) = _SEQUENCE.unpack(body)
            batches.append(Batch(writer, ended, tallies))
            sequence, tallies = ended + 1, {}
        else:
            hour, *amounts = _NUMBERS.unpack_from(body)
            account = Account(hour, *body[_NUMBERS.size :].decode().split(_SEPARATOR))
            tallies[account] = tallies.get(account, Tally()).plus(Tally(*amounts))
    if tallies:
        batches.append(Batch(writer, sequence, tallies))
    return [batch for batch in batches if batch.tallies]


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = _START.size
    while at + _HEAD.size <= len(content):
        checksum, length, kind = _HEAD.unpack_from(content, at)
        end = at + _HEAD.size + length
        if not length or end > len(content) or crc32(content[at + _CHECKED_FROM : end]) != checksum:
            return
        yield kind, content[at + _HEAD.size : end]
        at = end


@lru_cache(maxsize=4_096)
def _labels(*parts: str) -> bytes:
    return _SEPARATOR.join(parts).encode()


def _allocate(descriptor: int, size: int) -> None:
    allocate = getattr(os, "posix_fallocate", None)  # macOS has none; there the file may have holes
    if allocate is None:
        os.ftruncate(descriptor, size)
    else:
        allocate(descriptor, 0, size)
