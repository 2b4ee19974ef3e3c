from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.leasing.share import share


@given(st.integers(0, 10_000), st.integers(1, 200), st.text(max_size=10))
def test_the_shares_add_up_to_the_limit_and_differ_by_one_at_most(limit: int, workers: int, subject: str) -> None:
    shares = [share(limit, workers, rank, subject) for rank in range(workers)]
    assert sum(shares) == limit
    assert max(shares) - min(shares) <= 1


def test_who_has_one_more_differs_between_subjects() -> None:
    assert len({tuple(share(1, 4, rank, f"t{number}") for rank in range(4)) for number in range(50)}) == 4
