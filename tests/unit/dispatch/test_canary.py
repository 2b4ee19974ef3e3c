"""P: the written spec of gateway.dispatch.canary, with vectors that are rounded, turned, cut and broken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dispatch.canary import Odd, Reason, Verdict, due, judge, pack

WIDTH = 384


def vector(seed: int, width: int = WIDTH) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.random.default_rng(seed).standard_normal(width)
    unit: np.ndarray[tuple[int], np.dtype[np.float64]] = values / np.linalg.norm(values)
    return unit


TRUE = vector(1)
A = pack(list(TRUE))
HALF = pack(list(TRUE.astype(np.float16)))
INT8 = pack(list(np.round(TRUE * 500) / 500))
OTHER = pack(list(vector(2)))
THIRD = pack(list(vector(3)))
NEAR = pack(list(0.97 * TRUE + (1 - 0.97**2) ** 0.5 * vector(9)))
LONGER = pack(list(TRUE * 7))
SHORT = pack(list(TRUE[:256]))
NAN = pack([float("nan")] * WIDTH)
INFINITE = pack([float("inf")] * WIDTH)
ZERO = pack([0.0] * WIDTH)


def judged(vectors: list[bytes], reference: bytes | None = None) -> tuple[str, Verdict]:
    verdict = judge(dict(zip("abcd", vectors, strict=False)), reference)
    return "".join(odd.backend for odd in verdict.odd), verdict


# vectors of a, b, c...; the remembered one; who is odd; guessed; drifted; whose vector is to be remembered
TABLE = [
    ([A, A], None, "", False, False, A),
    ([A], None, "", False, False, A),
    ([A, HALF, INT8], None, "", False, False, A),
    ([HALF, LONGER], A, "", False, False, None),
    ([OTHER, A, HALF], None, "a", False, False, A),
    ([A, NEAR, A], None, "b", False, False, A),
    ([A, SHORT, A], None, "b", False, False, A),
    ([A, OTHER], None, "b", True, False, None),
    ([A, OTHER], A, "b", False, False, None),
    ([OTHER, A], A, "a", False, False, None),
    ([OTHER, OTHER, A], A, "ab", False, False, None),
    ([A, A, OTHER, OTHER], None, "cd", True, False, None),
    ([A, OTHER, THIRD], None, "bc", True, False, None),
    ([A, A], OTHER, "", False, True, None),
    ([A], OTHER, "", False, True, None),
    ([A, OTHER], THIRD, "b", True, True, None),
    ([A, OTHER, A], SHORT, "b", False, True, None),
    ([NAN, A], None, "a", False, False, A),
    ([INFINITE, A], None, "a", False, False, A),
    ([A, ZERO], A, "b", False, False, None),
    ([A[:-1], A], None, "a", False, False, A),
    ([b"", NAN], None, "ab", False, False, None),
    ([], A, "", False, False, None),
    ([A, OTHER, A], NAN, "b", False, False, None),
]


@pytest.mark.parametrize(("vectors", "reference", "odd", "guessed", "drifted", "remember"), TABLE)
def test_who_is_odd(  # noqa: PLR0913, PLR0917 - a table's columns
    vectors: list[bytes],
    reference: bytes | None,
    odd: str,
    guessed: bool,  # noqa: FBT001 - a table
    drifted: bool,  # noqa: FBT001 - a table
    remember: bytes | None,
) -> None:
    found, verdict = judged(vectors, reference)
    assert found == odd
    assert (verdict.guessed, verdict.drifted) == (guessed, drifted)
    assert verdict.remember == remember


def test_why_it_is_odd() -> None:
    _, verdict = judged([A, SHORT, NAN, NEAR], A)
    assert verdict.odd[:2] == (Odd("b", Reason.DIMENSION), Odd("c", Reason.UNUSABLE))
    assert verdict.odd[2].reason is Reason.DIRECTION
    assert verdict.odd[2].cosine == pytest.approx(0.97, abs=0.02)


@settings(deadline=None)
@given(
    vectors=st.lists(st.sampled_from([A, HALF, INT8, NEAR, OTHER, THIRD, SHORT, NAN]), min_size=1, max_size=4),
    reference=st.sampled_from([None, A, OTHER, SHORT]),
)
def test_one_is_always_left_and_those_left_are_of_one_space(vectors: list[bytes], reference: bytes | None) -> None:
    found, verdict = judged(vectors, reference)
    left = [entry for name, entry in zip("abcd", vectors, strict=False) if name not in found]
    assert left or set(vectors) == {NAN}
    spaces = [{A, HALF, INT8}, {NEAR}, {OTHER}, {THIRD}, {SHORT}]
    assert not left or any(set(left) <= space for space in spaces)
    assert verdict.remember is None or reference is None


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [(7_200, None, True), (7_200, 7_199, True), (10_799, 7_200, False), (10_800, 7_200, True), (3_600, 7_200, False)],
)
def test_once_an_hour(now: int, last: int | None, expected: bool) -> None:  # noqa: FBT001 - a table
    assert due(now, last) is expected
