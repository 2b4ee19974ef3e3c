"""P: cache entries as a stream of bytes that can move to another store."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

START = b"gateway-cache\x00\x01"
"""The last byte is the version."""

_HEAD = struct.Struct("<BQI")
"""Length of the address, milliseconds left to live, length of the entry. Then follow address, entry, and XXH3-64 of all
three. The last head is zero but for the number of records, so that a cut file is known."""

_DIGEST_BYTES = 8
_ADDRESS_BYTES = 16
LARGEST_ENTRY = 512 * 2**20
"""A Redis string has at most so many bytes; a longer one is damage, and no reason to reserve memory."""

LONGEST_LIFE_MS = 10 * 366 * 86_400 * 1_000


class TransferError(Exception):
    """The stream is not what `export` writes; the message says where."""


class Record(NamedTuple):
    """One entry: 16 bytes of address, milliseconds left to live, the entry's bytes."""

    address: bytes
    life_ms: int
    entry: bytes


def packed(records: Iterable[Record]) -> bytes:
    """Records as the stream has them."""
    parts: list[bytes] = []
    for address, life_ms, entry in records:
        record = _HEAD.pack(len(address), life_ms, len(entry)) + address + entry
        parts += (record, xxhash.xxh3_64_digest(record))
    return b"".join(parts)


def end(count: int) -> bytes:
    """What follows the last of `count` records."""
    return _HEAD.pack(0, count, 0)


def unpacked(stream: BinaryIO) -> Iterator[Record]:
    """Every record of a stream, each checked before it is given out.

    Raises:
        TransferError: the stream is something else, damaged or cut; all records before are whole.
    """
    if stream.read(len(START)) != START:
        raise TransferError("not a cache export of this version")
    number = 0
    while True:
        number += 1
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise TransferError(f"cut off at record {number}")
        address_bytes, life_ms, entry_bytes = _HEAD.unpack(head)
        if (address_bytes, entry_bytes) == (0, 0):
            if life_ms != number - 1 or stream.read(1):
                raise TransferError(f"damaged after record {number - 1}")
            return
        if address_bytes != _ADDRESS_BYTES or entry_bytes > LARGEST_ENTRY or not 0 < life_ms <= LONGEST_LIFE_MS:
            raise TransferError(f"damaged at record {number}")
        body = stream.read(address_bytes + entry_bytes)
        digest = stream.read(_DIGEST_BYTES)
        if len(digest) < _DIGEST_BYTES:
            raise TransferError(f"cut off at record {number}")
        if xxhash.xxh3_64_digest(head + body) != digest:
            raise TransferError(f"damaged at record {number}")
        yield Record(body[:address_bytes], life_ms, body[address_bytes:])
