"""P: what a tenant may spend now: its budgets and its balance as meters, and which thresholds a charge crosses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from gateway.vocabulary import nanos

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from gateway.config.spending import Balance, Budget

BALANCE = "balance"
"""Name of the meter of a balance; a budget's is its period: day, month, fixed."""

_DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Meter:
    """At most `limit` may be used from `start` up to `end` (seconds since 1970; None: there is no end).

    `unit`: tokens as counted upstream, or nano-dollars. `name` and `start` tell a tenant's meters apart. `soft` are
    shares of the limit to warn at. `hard`: what comes once the limit is reached is refused.
    """

    name: str
    unit: Literal["tokens", "nanos"]
    limit: int
    start: int
    end: int | None
    soft: tuple[Decimal, ...] = ()
    hard: bool = True


def meters(budgets: Sequence[Budget], balance: Balance | None, epoch: int, topped_up: int = 0) -> tuple[Meter, ...]:
    """The meters in force at `epoch` (seconds since 1970), the balance's first.

    `topped_up` is what was added to the balance so far, in its own unit.
    """
    found = [] if balance is None else [_balance(balance, topped_up)]
    for budget in budgets:
        start, end = period(budget.per, epoch)
        found.append(Meter(budget.per, "nanos", nanos(budget.usd), start, end, budget.soft, budget.hard))
    return tuple(found)


def period(per: Literal["day", "month", "fixed"], epoch: int) -> tuple[int, int | None]:
    """The UTC day or month around `epoch`: its first second, and the next one's."""
    if per == "fixed":
        return 0, None
    now = datetime.fromtimestamp(epoch, UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if per == "day":
        return _seconds(start), _seconds(start + timedelta(days=1))
    start = start.replace(day=1)
    december = start.month == _DECEMBER
    after = start.replace(year=start.year + december, month=1 if december else start.month + 1)
    return _seconds(start), _seconds(after)


def crossed(before: int, after: int, meter: Meter) -> tuple[Decimal, ...]:
    """The soft shares that a charge crosses, which takes what was used from `before` to `after`; smallest first.

    Each charge crosses a share at most once in a period: the one that comes to it or passes it.
    """
    return tuple(share for share in sorted(meter.soft) if before < Fraction(share) * meter.limit <= after)


def _balance(balance: Balance, topped_up: int) -> Meter:
    if balance.starting_usd is not None:
        return Meter(BALANCE, "nanos", nanos(balance.starting_usd) + topped_up, 0, None, balance.soft)
    return Meter(BALANCE, "tokens", (balance.starting_tokens or 0) + topped_up, 0, None, balance.soft)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
