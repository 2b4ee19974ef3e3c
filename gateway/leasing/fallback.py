"""P: what a meter allows while the store is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.leasing.lease import WINDOW_SECONDS
from gateway.leasing.share import share
from gateway.ports import Amounts
from gateway.vocabulary import Fallback

if TYPE_CHECKING:
    from gateway.leasing.lease import Lease
    from gateway.ports import Census


def share_of(lease: Lease, census: Census) -> Amounts:
    """This worker's part of a meter's limits."""
    subject, workers = lease.meter.subject, max(1, census.workers)
    return Amounts(*(share(limit or 0, workers, census.rank, subject) for limit in lease.limits))


def allows_locally(
    lease: Lease, amounts: tuple[int, int, int], now: float, away_seconds: float, census: Census
) -> bool | None:
    """Whether out of what is held (True) or beside it (False); None: neither.

    For a window after the store was last heard only what is held may be spent, since nobody knows what the others
    spent; after that everybody has an exact share. What is held idle is at most half a share, so all together never
    spend more than the limit. A budget's period is no window: it is spent from what is held only.
    """
    match lease.meter.fallback:
        case Fallback.OPEN:
            return False
        case Fallback.CLOSED:
            return None
    if away_seconds <= WINDOW_SECONDS or not lease.meter.ages:
        return None if lease.lacks(*amounts) else True
    used, part = (*lease.window(now), lease.busy[2] + lease.unleased[2]), share_of(lease, census)
    within = all(
        limit is None or not amount or spent + amount <= mine
        for limit, amount, spent, mine in zip(lease.limits, amounts, used, part, strict=True)
    )
    return False if within else None
