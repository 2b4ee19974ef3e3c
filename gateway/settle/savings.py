"""P: what did not have to be paid for, by cause."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.vocabulary import Cause, Saving, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.vocabulary import Answer, Fresh, Job, Plan

_MICROS = 1_000_000
_ORDER = {cause: place for place, cause in enumerate(Cause)}


def savings(plan: Plan, fresh: Fresh, job: Job, price: str) -> tuple[Saving, ...]:
    """One entry for each cause that saved something in a request.

    Tokens and seconds are what an input cost when it was first asked; dollars are tokens at `price` (US dollars a
    token, a decimal string). A copy in the list counts as duplicate, wherever its original came from.
    """
    sums: dict[Cause, list[int]] = {}
    if plan.stored and not (plan.foreign or plan.derived):  # nearly always: all of one cause
        answers = plan.stored.values()
        sums[_cause(job)] = [
            len(answers),
            sum([answer.tokens for answer in answers]),
            sum([answer.micros for answer in answers]),
        ]
        rest = _not_stored(plan, fresh)
    else:
        rest = _free(plan, fresh, job)
    for cause, answer in rest:
        entry = sums.get(cause)
        if entry is None:
            entry = sums[cause] = [0, 0, 0]
        entry[0] += 1
        entry[1] += answer.tokens
        entry[2] += answer.micros
    return tuple(
        [
            saving(cause, units, tokens, micros, price)
            for cause, (units, tokens, micros) in sorted(sums.items(), key=_place)
        ]
    )


def saving(cause: Cause, units: int, tokens: int, micros: int, price: str) -> Saving:
    """What one cause saved: inputs, and the tokens and microseconds that they first cost, at `price` (as above)."""
    return Saving(cause, units, tokens, float(tokens * _rate(price)), micros / _MICROS)


def _place(entry: tuple[Cause, list[int]]) -> int:
    """Where a cause stands among all."""
    return _ORDER[entry[0]]


@lru_cache(maxsize=1_024)
def _rate(price: str) -> Decimal:
    """A price as a number: there are as many as models and tenants that have their own."""
    return Decimal(price)


def _free(plan: Plan, fresh: Fresh, job: Job) -> Iterator[tuple[Cause, Answer]]:
    stored = _cause(job)
    for position, answer in plan.stored.items():
        if position in plan.foreign:
            yield Cause.PROMOTED, answer
        else:
            yield Cause.DERIVED if position in plan.derived else stored, answer
    yield from _not_stored(plan, fresh)


def _cause(job: Job) -> Cause:
    """Why what is stored costs nothing."""
    return Cause.PAIR if job.shape is Shape.SCORE else Cause.STORED


def _not_stored(plan: Plan, fresh: Fresh) -> Iterator[tuple[Cause, Answer]]:
    for position in fresh.shared:
        yield Cause.IN_FLIGHT, fresh.answers[position]
    for original in plan.twins.values():
        yield Cause.DUPLICATE, plan.stored[original] if original in plan.stored else fresh.answers[original]
