from __future__ import annotations

import calendar
import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admit.budget import Meter, crossed, meters, period
from gateway.config.spending import Balance, Budget

EPOCHS = st.integers(0, 4 * 10**9)
FIVE = 5_000_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("per", "now", "start", "end"),
    [
        ("day", "2026-01-31T00:00:00", "2026-01-31", "2026-02-01"),
        ("day", "2028-02-28T23:59:59", "2028-02-28", "2028-02-29"),
        ("month", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("month", "2100-02-28T23:59:59", "2100-02-01", "2100-03-01"),
        ("month", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
        ("month", "2027-01-01T00:00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_days_and_months_are_utc(per: Literal["day", "month"], now: str, start: str, end: str) -> None:
    assert period(per, at(now)) == (at(start), at(end))


@given(EPOCHS)
def test_a_period_holds_its_moment_and_meets_its_neighbours(epoch: int) -> None:
    start, end = period("month", epoch)
    assert end is not None
    assert start <= epoch < end
    first = datetime.fromtimestamp(start, UTC)
    assert end - start == calendar.monthrange(first.year, first.month)[1] * 86_400
    assert period("month", end)[0] == end
    day = period("day", epoch)
    assert day == (epoch // 86_400 * 86_400, epoch // 86_400 * 86_400 + 86_400)


def test_a_tenant_has_a_meter_for_each_budget_and_its_balance() -> None:
    budgets = (
        Budget(usd="5.00", per="day", soft=(Decimal("0.8"),)),
        Budget(usd="0.000000001", per="month", hard=False),
        Budget(usd="100", per="fixed"),
    )
    now = at("2026-03-10T10:00:00")
    assert meters(budgets, Balance(starting_tokens=10_000_000), now, topped_up=5) == (
        Meter("balance", "tokens", 10_000_005, 0, None),
        Meter("day", "nanos", FIVE, at("2026-03-10"), at("2026-03-11"), (Decimal("0.8"),)),
        Meter("month", "nanos", 1, at("2026-03-01"), at("2026-04-01"), (), hard=False),
        Meter("fixed", "nanos", 100 * 10**9, 0, None),
    )


@pytest.mark.parametrize(
    ("balance", "meter"),
    [
        (Balance(starting_usd="5", soft=(Decimal(1),)), Meter("balance", "nanos", FIVE + 7, 0, None, (Decimal(1),))),
        (Balance(starting_tokens=0), Meter("balance", "tokens", 7, 0, None)),
    ],
)
def test_a_balance_is_in_its_own_unit(balance: Balance, meter: Meter) -> None:
    assert meters((), balance, 0, topped_up=7) == (meter,)


def test_without_either_there_is_none() -> None:
    assert meters((), None, 0) == ()


METER = Meter("day", "nanos", 1_000, 0, 86_400, (Decimal(1), Decimal("0.8"), Decimal("0.0015")))


@pytest.mark.parametrize(
    ("before", "after", "shares"),
    [
        (0, 1, []),
        (0, 2, ["0.0015"]),  # 1.5 is not reached by 1
        (1, 799, ["0.0015"]),
        (2, 800, ["0.8"]),
        (799, 5_000, ["0.8", "1"]),
        (800, 999, []),
        (800, 800, []),
        (1_000, 2_000, []),
        (900, 700, []),  # a correction
    ],
)
def test_a_charge_crosses_what_it_comes_to(before: int, after: int, shares: list[str]) -> None:
    assert crossed(before, after, METER) == tuple(map(Decimal, shares))


@given(st.lists(st.integers(0, 400), max_size=20))
def test_however_charges_fall_each_share_is_crossed_once(charges: list[int]) -> None:
    levels = list(itertools.accumulate(charges, initial=0))
    found = [share for before, after in itertools.pairwise(levels) for share in crossed(before, after, METER)]
    assert found == list(crossed(0, levels[-1], METER))


def test_shares_are_exact() -> None:
    meter = Meter("day", "nanos", 10, 0, 86_400, (Decimal("0.7"),))  # 10 * 0.7 is 7, not more by a hair
    assert crossed(6, 7, meter) == (Decimal("0.7"),)
