"""P: what is left of a plan when the backend refused some of its units and the client wants the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from gateway.vocabulary import Fresh, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = TypeVar("Value")


def with_copies(plan: Plan, fresh: Fresh) -> Fresh:
    """What is refused, with the copies of it in the list."""
    if not fresh.refused:
        return fresh
    copies = {twin: fresh.refused[original] for twin, original in plan.twins.items() if original in fresh.refused}
    return replace(fresh, refused={**fresh.refused, **copies})


def without_refused(plan: Plan, fresh: Fresh) -> tuple[Plan, Fresh]:
    """The plan and its fresh answers as if the refused units had not been asked for (see `with_copies`).

    Positions count anew; `places` of what is returned has the position that each had in the client's list, which is
    what `refused` goes by.
    """
    if not fresh.refused:
        return plan, fresh
    places = tuple(position for position in range(len(plan.keys)) if position not in fresh.refused)
    now = {place: position for position, place in enumerate(places)}

    def moved(values: Mapping[int, Value]) -> dict[int, Value]:
        return {now[place]: value for place, value in values.items() if place in now}

    left = replace(
        plan,
        keys=tuple(plan.keys[place] for place in places),
        stored=moved(plan.stored),
        missing=tuple(now[place] for place in plan.missing if place in now),
        twins={twin: now[original] for twin, original in moved(plan.twins).items()},
        derived=frozenset(now[place] for place in plan.derived if place in now),
        foreign=frozenset(now[place] for place in plan.foreign if place in now),
    )
    shared = frozenset(now[place] for place in fresh.shared if place in now)
    return left, Fresh(moved(fresh.answers), shared, fresh.refused, places)
