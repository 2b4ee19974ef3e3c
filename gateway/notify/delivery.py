"""P: how a notice is signed, and what follows from a receiver's answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Notice

DELAYS = (1, 5, 30, 120, 600, 3_600, 7_200, 14_400, 28_800, 28_800)
"""Seconds after each failed try: eleven tries within 23 to 28 hours."""

JITTER = 0.2
"""Most that chance adds to a delay, as a share of it."""

_OK = range(200, 300)
_GONE = 410


class Verdict(StrEnum):
    """What an answer means: the notice is there; nobody will ever want it at this address; try again later."""

    DELIVERED = "delivered"
    GONE = "gone"
    FAILED = "failed"


def verdict(status: int) -> Verdict:
    """By the status alone; a redirect is a failure, for it is not followed."""
    if status in _OK:
        return Verdict.DELIVERED
    return Verdict.GONE if status == _GONE else Verdict.FAILED


def delay(tries: int, chance: float) -> float | None:
    """Seconds to wait after that many failed tries (1 or more), None when there were enough.

    `chance` is uniform in [0, 1).
    """
    if tries > len(DELAYS):
        return None
    return DELAYS[tries - 1] * (1 + JITTER * chance)


def headers(notice: Notice, key: bytes, now: int) -> dict[str, str]:
    """The headers of a try at `now` (seconds since 1970), signed as Standard Webhooks 1.0 says, with HMAC-SHA256."""
    content = f"{notice.id}.{now}.{notice.body}".encode()
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": notice.id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
