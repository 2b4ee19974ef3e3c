"""P: what did not have to be paid for, by cause."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from gateway.vocabulary import Cause, Saving, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.vocabulary import Answer, Fresh, Job, Plan

_MICROS = 1_000_000


def savings(plan: Plan, fresh: Fresh, job: Job, price: str) -> tuple[Saving, ...]:
    """One entry for each cause that saved something in a request.

    Tokens and seconds are what an input cost when it was first asked; dollars are tokens at `price` (US dollars a
    token, a decimal string). A copy in the list counts as duplicate, wherever its original came from.
    """
    units: dict[Cause, int] = defaultdict(int)
    tokens: dict[Cause, int] = defaultdict(int)
    micros: dict[Cause, int] = defaultdict(int)
    for cause, answer in _free(plan, fresh, job):
        units[cause] += 1
        tokens[cause] += answer.tokens
        micros[cause] += answer.micros
    rate = Decimal(price)
    return tuple(
        Saving(cause, units[cause], tokens[cause], float(tokens[cause] * rate), micros[cause] / _MICROS)
        for cause in Cause
        if cause in units
    )


def _free(plan: Plan, fresh: Fresh, job: Job) -> Iterator[tuple[Cause, Answer]]:
    stored = Cause.PAIR if job.shape is Shape.SCORE else Cause.STORED
    for position, answer in plan.stored.items():
        if position in plan.foreign:
            yield Cause.PROMOTED, answer
        else:
            yield Cause.DERIVED if position in plan.derived else stored, answer
    for position in fresh.shared:
        yield Cause.IN_FLIGHT, fresh.answers[position]
    for original in plan.twins.values():
        yield Cause.DUPLICATE, plan.stored[original] if original in plan.stored else fresh.answers[original]
