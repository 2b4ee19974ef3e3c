"""P: what became of each input of a request, in a word, for people who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Fresh, Plan


def told(plan: Plan, fresh: Fresh) -> list[str]:
    """`hit`, `derived`, `duplicate`, `in flight`, `miss` or `refused`, by position.

    What another org paid for is a miss: nobody is to notice that.
    """
    return [_word(position, plan, fresh) for position in range(len(plan.keys))]


def _word(position: int, plan: Plan, fresh: Fresh) -> str:
    if position in plan.twins:
        return "duplicate"
    if position in fresh.refused:
        return "refused"
    if position in plan.stored and position not in plan.foreign:
        return "derived" if position in plan.derived else "hit"
    return "in flight" if position in fresh.shared else "miss"
