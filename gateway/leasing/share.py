"""P: how a limit is split between workers that cannot ask each other: exactly, and nobody's part is fixed for ever."""

from __future__ import annotations

import zlib


def share(limit: int, workers: int, rank: int, subject: str) -> int:
    """One worker's part of `limit`; the parts of all ranks add up to it.

    Who gets one more is spread by `subject`, so that small limits do not all fall to the same worker.
    """
    part, rest = divmod(limit, workers)
    return part + ((rank + zlib.crc32(subject.encode())) % workers < rest)
