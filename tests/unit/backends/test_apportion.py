from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.apportion import apportion, shares
from gateway.backends.dialect import Ask
from gateway.vocabulary import Item, Job, Shape


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=50).filter(any))
def test_shares_add_up_and_are_fair(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(part - total * weight / whole) < 1 for part, weight in zip(parts, weights, strict=True))


def test_nothing_to_weigh_is_nothing_to_share() -> None:
    assert apportion(5, []) == []


def test_a_backend_without_usage_is_estimated_by_bytes() -> None:
    units = ((Item.text("abcdef"),), (Item.text("äö"),))
    job = Job("rerank", "m", "r", units, Shape.SCORE, (), None, query="qq")
    assert shares(None, Ask(job, units, "m")) == [3, 2]
    assert sum(shares(100, Ask(job, units, "m"))) == 100
