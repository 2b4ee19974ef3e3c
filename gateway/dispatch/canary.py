"""P: whether backends that serve one model revision answer in one vector space, judged by one text that all embed.

What holds, and is tested in tests/unit/dispatch/test_canary.py:

1. Two vectors agree when they are equally long and their cosine is at least CLOSE: what int8 and fp16 weights differ by
   is less, another model's, revision's, task's or pooling's vectors differ by far more.
2. Who disagrees with the remembered vector of the revision is odd. Where nobody agrees with it the revision itself has
   `drifted`: what is stored under its name is of another space than what all backends now say.
3. Where nothing is remembered, or it has drifted, those are odd who do not agree with the backend that most agree with;
   of equals with the one that is configured first. Unless more than half agree that is a guess, and says so.
4. A backend is always left, unless none gave a usable vector: a canary takes nothing away that it cannot better.
5. Only what is no guess is worth remembering. A remembered vector is never replaced: a new space is a new revision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT = "Seven grey geese cross the cold river at dawn; 42 lamps burn on the far bank, und der Wind legt sich."
"""Never changed: what is remembered of a revision is the vector of this text."""

CLOSE = 0.99
INTERVAL_SECONDS = 3_600

_FLOAT = np.dtype("<f4")


class Reason(StrEnum):
    """Why a backend is odd."""

    UNUSABLE = "unusable"
    DIMENSION = "dimension"
    DIRECTION = "direction"


@dataclass(frozen=True, slots=True)
class Odd:
    """A backend that is to be left out; `cosine` with what it was compared with, where the lengths are equal."""

    backend: str
    reason: Reason
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is odd, in the order of the config.

    `guessed`: those who disagree are as many as those who agree. `drifted`: nobody agrees with what is remembered.
    `remember`: the vector to be remembered for the revision, where there is none yet.
    """

    odd: tuple[Odd, ...] = ()
    guessed: bool = False
    drifted: bool = False
    remember: bytes | None = field(default=None, repr=False)


def due(now: int, last: int | None) -> bool:
    """Whether a revision's canary is due: once in each hour of the clock. Both in seconds since 1970."""
    return last is None or hour(last) < hour(now)


def hour(now: int) -> int:
    """The hour that workers claim."""
    return now // INTERVAL_SECONDS


def pack(vector: Sequence[float]) -> bytes:
    """A vector as it is remembered: little-endian 32-bit floats."""
    return np.asarray(vector, dtype=_FLOAT).tobytes()


def judge(vectors: Mapping[str, bytes], reference: bytes | None) -> Verdict:
    """Who is odd of the backends that answered, each with its packed vector, in the order of the config.

    A backend that failed to answer is not in `vectors`: its breaker knows of it.
    """
    units = {backend: _unit(vector) for backend, vector in vectors.items()}
    usable = {backend: unit for backend, unit in units.items() if unit is not None}
    if not usable:
        return Verdict(tuple(Odd(backend, Reason.UNUSABLE) for backend in units))
    stored = None if reference is None else _unit(reference)
    trusted = stored is not None and any(_agree(unit, stored) for unit in usable.values())
    centre = stored if stored is not None and trusted else _centre(list(usable.values()))
    agreeing = sum(_agree(unit, centre) for unit in usable.values())
    guessed = not trusted and 2 * agreeing <= len(usable)
    first = next(backend for backend, unit in usable.items() if _agree(unit, centre))
    return Verdict(
        odd=tuple(odd for backend, unit in units.items() if (odd := _odd(backend, unit, centre)) is not None),
        guessed=guessed,
        drifted=stored is not None and not trusted,
        remember=vectors[first] if reference is None and not guessed else None,
    )


_Unit = np.ndarray[tuple[int], np.dtype[np.float64]]


def _unit(vector: bytes) -> _Unit | None:
    """A vector of length 1; None where that cannot be had."""
    if len(vector) % _FLOAT.itemsize:
        return None
    values: _Unit = np.frombuffer(vector, dtype=_FLOAT).astype(np.float64)
    length = float(np.linalg.norm(values)) if np.isfinite(values).all() else 0.0
    return values / length if length > 0 else None


def _cosine(one: _Unit, other: _Unit) -> float | None:
    return float(one @ other) if one.shape == other.shape else None


def _agree(one: _Unit, other: _Unit) -> bool:
    cosine = _cosine(one, other)
    return cosine is not None and cosine >= CLOSE


def _centre(units: Sequence[_Unit]) -> _Unit:
    """The one that most agree with, the first of equals."""
    return max(units, key=lambda unit: sum(_agree(unit, other) for other in units))


def _odd(backend: str, unit: _Unit | None, centre: _Unit) -> Odd | None:
    if unit is None:
        return Odd(backend, Reason.UNUSABLE)
    cosine = _cosine(unit, centre)
    if cosine is None:
        return Odd(backend, Reason.DIMENSION)
    return None if cosine >= CLOSE else Odd(backend, Reason.DIRECTION, cosine)
