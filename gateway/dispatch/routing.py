"""P: which of the backends that serve one model revision gets a call: weighted least outstanding work, best of two.

What holds, and is tested in tests/unit/dispatch/test_routing.py:

1. Backends that are as fast as each other and never idle get tokens in proportion to their weights, within 10 %.
2. One that takes k times as long gets about 1/k as much, whatever its weight says.
3. One that its breaker does not admit gets nothing; when half-open it gets the one probe.
4. One that is ejected gets nothing while another can answer, and its share when none can.
5. One that comes back gets at most its warm-up factor of all calls.
6. Nothing is remembered of who asked: the same chances and the same work give the same backend.

After Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE TPDS 2001): two are drawn by weight,
the one with less work for its weight is taken. Two, not the least of all, since several workers choose without knowing
of each other, and would all choose the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Sequence


@value(frozen=True, slots=True)
class Candidate:
    """A backend as one worker sees it: `outstanding` are the tokens of the calls that it has not answered.

    `factor`, `admits` and `reopens` (seconds until it may admit) are its breaker's, `ejected` its ejection's. What must
    never be asked, as it may answer in another vector space, is no candidate.
    """

    weight: float = 1.0
    outstanding: int = 0
    factor: float = 1.0
    admits: bool = True
    ejected: bool = False
    reopens: float = 0.0


def choose(candidates: Sequence[Candidate], first: float, second: float, warmth: float) -> int | None:
    """The index of the one that gets the next call; None when no breaker admits one. Three chances in [0, 1)."""
    pool = _pool(candidates, warmth)
    if not pool:
        return None
    one = _draw(candidates, pool, first)
    rest = [index for index in pool if index != one]
    if not rest:
        return one
    other = _draw(candidates, rest, second)
    return other if _load(candidates[other]) < _load(candidates[one]) else one


def reopens(candidates: Sequence[Candidate]) -> float:
    """Seconds until the first of them may admit a call."""
    return min((candidate.reopens for candidate in candidates), default=float("inf"))


def _pool(candidates: Sequence[Candidate], warmth: float) -> list[int]:
    """Those that may be asked; of those that warm up only so many as chance lets in, unless there are no others."""
    admitted = [index for index, candidate in enumerate(candidates) if candidate.admits]
    fit = [index for index in admitted if not candidates[index].ejected] or admitted
    return [index for index in fit if warmth < candidates[index].factor] or fit


def _draw(candidates: Sequence[Candidate], pool: Sequence[int], chance: float) -> int:
    left = chance * sum(candidates[index].weight for index in pool)
    for index in pool:
        left -= candidates[index].weight
        if left < 0:
            return index
    return pool[-1]


def _load(candidate: Candidate) -> float:
    return candidate.outstanding / candidate.weight
