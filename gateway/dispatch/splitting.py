"""P: a list cut into pieces that a backend takes, and pieces that were refused cut in halves to find what is bad."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.backends.dialect import OutcomeKind
from gateway.vocabulary import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.backends.dialect import CallLimits, Outcome
    from gateway.dispatch.order import Want

_ABOUT_LISTS = ("input", "documents", "texts", "document")


def cut(wants: Sequence[Want], limits: CallLimits, most: int) -> list[tuple[Want, ...]]:
    """Consecutive pieces within `most` units and the limits in tokens and bytes, as few as possible, in order.

    Where that many pieces may be even, they are: they finish together then (513 units of at most 512 are 257 and 256).
    One unit that is larger than a limit goes alone: the backend knows better. Where calls have one modality, each is
    cut by itself.
    """
    if limits.media is None:
        return _evenly(wants, limits, most)
    kinds: dict[Modality, list[Want]] = {}
    for want in wants:
        kinds.setdefault(want.modality, []).append(want)
    return [piece for own in kinds.values() for piece in _evenly(own, limits, _room(own, limits, most))]


def fits(piece: Sequence[Want], limits: CallLimits, most: int) -> bool:
    """Whether one call may carry a piece."""
    return (
        len(piece) <= (most if limits.media is None else _room(piece, limits, most))
        and (limits.tokens is None or sum(want.tokens for want in piece) <= limits.tokens)
        and (limits.size is None or sum(want.size for want in piece) <= limits.size)
    )


def _room(piece: Sequence[Want], limits: CallLimits, most: int) -> int:
    """Units of a call that has these in it; none where it mixes what must be kept apart."""
    if limits.media is None:
        return most
    kinds = {want.modality for want in piece}
    if len(kinds) > 1:
        return 0
    return most if kinds <= {Modality.TEXT} else min(most, limits.media)


def _evenly(wants: Sequence[Want], limits: CallLimits, most: int) -> list[tuple[Want, ...]]:
    if wants and fits(wants, limits, most):
        return [tuple(wants)]
    greedy = _greedy(wants, limits, most)
    count, pieces = len(wants), len(greedy)
    edges = [count * piece // pieces for piece in range(pieces + 1)] if pieces else []
    even = [tuple(wants[start:end]) for start, end in pairwise(edges)]
    return even if all(fits(piece, limits, most) for piece in even) else greedy


def _greedy(wants: Sequence[Want], limits: CallLimits, most: int) -> list[tuple[Want, ...]]:
    pieces: list[list[Want]] = []
    tokens = size = 0
    for want in wants:
        tokens, size = tokens + want.tokens, size + want.size
        full = not pieces or len(pieces[-1]) >= most
        over = (limits.tokens is not None and tokens > limits.tokens) or (
            limits.size is not None and size > limits.size
        )
        if full or over:
            pieces.append([])
            tokens, size = want.tokens, want.size
        pieces[-1].append(want)
    return [tuple(piece) for piece in pieces]


def apart(piece: Sequence[Want], outcome: Outcome) -> list[tuple[Want, ...]]:
    """A refused piece by orders, where it is of several and the refusal may be for one of them only."""
    by_order: dict[int, list[Want]] = {}
    for want in piece:
        by_order.setdefault(id(want.order), []).append(want)
    if len(by_order) == 1 or outcome.kind not in _DIVISIBLE or not _about_units(outcome):
        return []
    return [tuple(own) for own in by_order.values()]


class Bisection:
    """The search for the bad units of one refused call, within a number of further calls.

    A call of n units with one bad among them costs 2 log2 n more, and asks each good unit once.
    """

    def __init__(self, units: int) -> None:
        self._left = 4 * max(1, units.bit_length()) + 8

    def halves(self, piece: tuple[Want, ...], outcome: Outcome) -> tuple[tuple[Want, ...], ...]:
        """What to send instead of a piece with that outcome; nothing where halves would tell no more."""
        if len(piece) == 1 or outcome.kind not in _DIVISIBLE or not _about_units(outcome) or self._left < _HALVES:
            return ()
        self._left -= _HALVES
        middle = len(piece) // 2
        return piece[:middle], piece[middle:]


_HALVES = 2
_DIVISIBLE = frozenset({OutcomeKind.INVALID, OutcomeKind.TOO_LARGE})


def without_places(outcome: Outcome) -> Outcome:
    """A refusal without what it says of single inputs: its positions are those in the call, not in anybody's list."""
    kept = tuple(error for error in outcome.errors if not any(name in error.field for name in _ABOUT_LISTS))
    return replace(outcome, errors=kept)


def _about_units(outcome: Outcome) -> bool:
    """Whether a refusal may be for one of the units: one that names only other fields is for the whole call."""
    return not outcome.errors or any(name in error.field for error in outcome.errors for name in _ABOUT_LISTS)
