"""P: which shares were reached, and what is said."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.admit.budget import meters
from gateway.config.spending import Balance, Budget
from gateway.notify.occasion import Occasion, notice, reached

JULY = 1_782_864_000  # 2026-07-01 00:00 UTC
NOW = JULY + 3_725
SOFT = (Decimal("0.80"), Decimal("0.5"))
[MONTH] = meters([Budget(usd="50", soft=SOFT)], None, NOW)
[FIXED] = meters([Budget(usd="50", per="fixed", soft=SOFT, hard=False)], None, NOW)
[TOKENS] = meters([], Balance(starting_tokens=1_000, soft=(Decimal(1), Decimal("0.9"))), NOW, 500)
[NOTHING] = meters([Budget(usd="0")], None, NOW)
DOLLAR = 1_000_000_000


@pytest.mark.parametrize(
    ("meter", "used", "expected"),
    [
        (MONTH, 25 * DOLLAR - 1, []),
        (MONTH, 25 * DOLLAR, [("budget.threshold", "0.5")]),
        (MONTH, 40 * DOLLAR, [("budget.threshold", "0.5"), ("budget.threshold", "0.8")]),
        (MONTH, 60 * DOLLAR, [("budget.threshold", "0.5"), ("budget.threshold", "0.8"), ("budget.spent", "1")]),
        (FIXED, 25 * DOLLAR, [("budget.threshold", "0.5")]),
        (TOKENS, 1_349, []),
        (TOKENS, 1_350, [("balance.threshold", "0.9")]),
        (TOKENS, 1_500, [("balance.threshold", "0.9"), ("balance.spent", "1")]),
        (NOTHING, 5, []),
    ],
)
def test_every_share_that_was_reached(meter: Any, used: int, expected: list[tuple[str, str]]) -> None:
    found = reached("shop", meter, used)
    assert [(occasion.event, occasion.share_text) for occasion in found] == expected
    assert len({occasion.claim for occasion in found}) == len(found)


def test_what_is_said_of_a_budget() -> None:
    [said] = reached("shop", MONTH, 25 * DOLLAR + 1)
    assert json.loads(notice(said, "abc", NOW).body) == {
        "type": "budget.threshold",
        "timestamp": "2026-07-01T01:02:05Z",
        "data": {
            "tenant": "shop",
            "meter": "month",
            "period_start": "2026-07-01T00:00:00Z",
            "unit": "usd",
            "limit": "50",
            "used": "25.000000001",
            "share": 0.5,
        },
    }


def test_what_is_said_of_a_balance() -> None:
    said = reached("shop", TOKENS, 1_501)[-1]
    assert json.loads(notice(said, "abc", NOW).body)["data"] == {
        "tenant": "shop",
        "meter": "balance",
        "period_start": None,
        "unit": "tokens",
        "limit": 1_500,
        "used": 1_501,
        "share": 1,
    }


def test_whoever_notices_says_it_under_one_id() -> None:
    early, late = (reached("shop", MONTH, used)[0] for used in (25 * DOLLAR, 26 * DOLLAR))
    assert early.claim == late.claim
    assert notice(early, "abc", NOW).id == notice(late, "abc", NOW + 9).id
    assert notice(early, "def", NOW).id != notice(early, "abc", NOW).id


def test_another_period_limit_or_tenant_is_another_occasion() -> None:
    [raised] = meters([Budget(usd="51", soft=SOFT)], None, NOW)
    [next_month] = meters([Budget(usd="50", soft=SOFT)], None, NOW + 31 * 86_400)
    share = Decimal("0.5")
    told = [Occasion("shop", meter, 1, share).claim for meter in (MONTH, raised, next_month, FIXED)]
    assert len({*told, Occasion("blog", MONTH, 1, share).claim}) == 5
