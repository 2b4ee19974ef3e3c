"""P: what a meter allows while the store is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.leasing.lease import WINDOW_SECONDS
from gateway.leasing.share import share
from gateway.ports import Amounts
from gateway.vocabulary import Fallback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.leasing.lease import Lease
    from gateway.ports import Census


def share_of(lease: Lease, censuses: Sequence[Census]) -> Amounts:
    """This worker's part of a meter's limits: the least by all that it may take for the census of the others.

    Who never heard one has no part.
    """
    subject = lease.meter.subject
    return Amounts(
        *(
            min(share(limit or 0, census.workers, census.rank, subject) if census.workers else 0 for census in censuses)
            for limit in lease.limits
        )
    )


def allows_locally(
    lease: Lease, amounts: tuple[int, int, int], now: float, away_seconds: float, censuses: Sequence[Census]
) -> bool | None:
    """Whether out of what is held (True) or beside it (False); None: neither.

    Nobody spends more than an exact share of a limit. For a window after the store was last heard, and as long as a use
    may last that began before, it must be held, too, since nobody knows what the others spent until then. So at first
    no more is spent than was held, later no more than the shares, and who held more than a share keeps to it from the
    beginning, since the others begin with theirs later. A budget's period is no window: it is spent from what is held
    only.
    """
    match lease.meter.fallback:
        case Fallback.OPEN:
            return False
        case Fallback.CLOSED:
            return None
    held = not lease.lacks(*amounts)
    if not lease.meter.ages:
        return True if held else None
    if not _within_share(lease, amounts, now, share_of(lease, censuses)):
        return None
    if away_seconds <= _until_shares(lease, amounts):
        return True if held else None
    return False


def _until_shares(lease: Lease, amounts: tuple[int, int, int]) -> float:
    """Seconds until nothing counts or runs any more that others had without our knowing."""
    longest = lease.longest if amounts[2] and lease.meter.limits.concurrency is not None else 0.0
    return max(WINDOW_SECONDS, (lease.meter.lasts or longest) + 1.0)


def _within_share(lease: Lease, amounts: tuple[int, int, int], now: float, part: Amounts) -> bool:
    used = (*lease.window(now), lease.busy[2] + lease.unleased[2])
    return all(
        limit is None or not amount or spent + amount <= mine
        for limit, amount, spent, mine in zip(lease.limits, amounts, used, part, strict=True)
    )
