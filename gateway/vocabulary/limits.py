"""P: what may be used, and what it is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be used a minute, and at once (`None` = unlimited); tokens are nano-dollars for a budget of money."""

    requests: int | None
    tokens: int | None
    concurrency: int | None


class Scope(StrEnum):
    """What a meter counts: a tenant's calls, one key's, a client address's, everybody's, ours at an upstream."""

    TENANT = "tenant"
    KEY = "key"
    ENDPOINT = "endpoint"
    MODEL = "model"
    ADDRESS = "address"
    TOTAL = "total"
    BUDGET = "budget"
    UPSTREAM = "upstream"


class Fallback(StrEnum):
    """What holds while the store does not answer: each worker's share of a limit, everything, or nothing."""

    LOCAL_SHARE = "local-share"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Meter:
    """Limits that are counted together under one name in the store.

    `shadow` meters are counted and never refuse. `period` is where a budget's period began (seconds since 1970): what
    was spent in it stays spent; None: the last minute. `money`: its tokens are nano-dollars. `expires` lets the store
    forget a meter that nobody uses (client addresses are without number). `lasts`: one use lasts so many seconds at
    most, and counts from its end on, since an upstream may see it last then; None: it counts from its beginning.
    """

    subject: str
    scope: Scope
    limits: Limits
    shadow: bool = False
    fallback: Fallback = Fallback.LOCAL_SHARE
    period: int | None = None
    money: bool = False
    expires: bool = False
    lasts: float | None = None

    @property
    def ages(self) -> bool:
        """Whether what was spent comes back after a minute."""
        return self.period is None
