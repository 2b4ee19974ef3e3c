"""P: points in time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str, now: int) -> int:
    """Seconds since 1970 of an ISO date or time (without a zone: UTC) or of an age before `now`, as `7d` or `12h`.

    Raises:
        ValueError: it is neither.
    """
    age = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip(), re.ASCII)
    if age:
        return now - int(age[1]) * _SECONDS[age[2]]
    try:
        named = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("neither a date or time (2026-01-31, 2026-01-31T12:00) nor an age (7d, 12h)") from None
    return int((named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp())


def shown(seconds: int | None) -> str:
    """A point in time as ISO, in UTC; `unknown` for None."""
    return "unknown" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
