from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.vocabulary import dollars, nanos

PRICES = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,15})?", fullmatch=True)


@pytest.mark.parametrize(
    ("price", "count", "amount"),
    [
        ("0.00000002", 1, 20),
        ("0.00000005", 1_000_000, 50_000_000),
        ("0.0000000005", 1, 1),  # half a nano-dollar goes up
        ("0.0000000005", 2, 1),
        ("0.00000000049", 1, 0),
        ("0.0000000015", 1, 2),
        ("0.00000002", 0, 0),
        ("0", 7, 0),
        ("5.00", 1, 5_000_000_000),
        ("5", 1, 5_000_000_000),
        ("0.000000018", 10**18, 18 * 10**18),  # beyond what a float could tell apart
    ],
)
def test_an_amount_is_whole_nano_dollars(price: str, count: int, amount: int) -> None:
    assert nanos(price, count) == amount


@given(PRICES, st.integers(0, 10**15))
def test_rounding_is_half_up_and_exact(price: str, count: int) -> None:
    exact = Fraction(price) * count * 10**9
    assert -Fraction(1, 2) < nanos(price, count) - exact <= Fraction(1, 2)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1.", ".", "1.5.2", "1,5", " 1"])
def test_what_is_no_plain_number_is_refused_or_read_as_what_it_says(text: str) -> None:
    if text == "1.":
        assert nanos(text) == 10**9
        return
    with pytest.raises(ValueError, match="plain decimal"):
        nanos(text)


@given(st.integers(-(10**20), 10**20))
def test_dollars_say_every_nano_dollar(amount: int) -> None:
    assert Fraction(dollars(amount)) * 10**9 == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "0.000000001"), (5_000_000_000, "5"), (1_250_000_000, "1.25"), (-20, "-0.00000002")],
)
def test_dollars_are_short(amount: int, text: str) -> None:
    assert dollars(amount) == text
