"""P: how a limit is split between workers that cannot ask each other: exactly, and nobody's part is fixed for ever."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.vocabulary import Fallback

if TYPE_CHECKING:
    from gateway.ports import Census
    from gateway.vocabulary import Meter


def share(limit: int, workers: int, rank: int, subject: str) -> int:
    """One worker's part of `limit`; the parts of all ranks add up to it.

    Who gets one more is spread by `subject`, so that small limits do not all fall to the same worker.
    """
    part, rest = divmod(limit, workers)
    return part + ((rank + zlib.crc32(subject.encode())) % workers < rest)


def without_missing(meter: Meter, census: Census) -> Meter:
    """The meter with what workers that are missing since an absence of the store may have spent of their shares.

    Their slots have ended with them, and a budget's period is never spent from shares.
    """
    if not census.missing or not meter.ages or meter.fallback is not Fallback.LOCAL_SHARE:
        return meter
    limits = meter.limits
    left = replace(limits, requests=_left(limits.requests, census), tokens=_left(limits.tokens, census))
    return replace(meter, limits=left)


def _left(limit: int | None, census: Census) -> int | None:
    if limit is None:
        return None
    largest = -(-limit // census.former)
    return max(0, limit - census.missing * largest)
