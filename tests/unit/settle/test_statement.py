from __future__ import annotations

import pytest

from gateway.settle.statement import FIELDS, By, figures, grouped, hours, moment_of
from gateway.vocabulary import Account, Tally, total

HOUR = 490_919  # 2026-01-01T23:00Z
A = Account(HOUR, "shop", "k1", "m1", "embeddings")
ROWS = [
    (A, Tally(1, 10, 10, 20, 0, 0)),
    (A._replace(hour=HOUR + 1, key_id="k2"), Tally(2, 20, 5, 10, 15, 30)),
    (A._replace(tenant="blog", model="m0"), Tally(4, 40, 40, 2_000_000_000, 0, 0)),
    (A._replace(endpoint="rerank"), Tally(8, 0, 0, 0, 0, 0)),
]


@pytest.mark.parametrize(
    ("by", "requests"),
    [
        (By.MODEL, {"m0": 4, "m1": 11}),
        (By.KEY, {"k1": 13, "k2": 2}),
        (By.TENANT, {"blog": 4, "shop": 11}),
        (By.HOUR, {"2026-01-01T23:00:00Z": 13, "2026-01-02T00:00:00Z": 2}),
        (By.DAY, {"2026-01-01": 13, "2026-01-02": 2}),
    ],
)
def test_rows_are_summed_by_name_in_order(by: By, requests: dict[str, int]) -> None:
    found = grouped(reversed(ROWS), by)
    assert {name: tally.requests for name, tally in found.items()} == requests
    assert list(found) == sorted(requests)
    assert total(found.values()) == total(tally for _, tally in ROWS) == Tally(15, 70, 55, 2_000_000_030, 15, 30)


def test_figures_are_exact() -> None:
    assert figures(ROWS[1][1]) == {
        "requests": 2,
        "tokens": 20,
        "upstream_tokens": 5,
        "cost_usd": "0.00000001",
        "saved_tokens": 15,
        "saved_usd": "0.00000003",
    }
    assert tuple(figures(Tally())) == FIELDS


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(0, 3_600, (0, 1)), (3_599, 3_601, (0, 2)), (7_200, 7_200, (2, 2)), (7_201, 7_202, (2, 3))],
)
def test_a_stretch_of_time_is_in_whole_hours(since: int, until: int, found: tuple[int, int]) -> None:
    assert hours(since, until) == found


def test_an_hour_has_a_name() -> None:
    assert moment_of(HOUR) == "2026-01-01T23:00:00Z"
