"""P: what a client is told whose list holds units that the backend refused for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Code, FieldError, GatewayError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gateway.vocabulary import Job


_NAMED = 64
"""Units that are named in one error at most."""


def refused(job: Job, by_position: Mapping[int, GatewayError]) -> GatewayError:
    """What a client is told whose list holds units that the backend refused for themselves: which, and why."""
    (first, error), *more = sorted(by_position.items())
    if len(job.units) == 1:
        return error.again()
    errors = tuple(
        FieldError(_field(job, position), told.message, told.errors[0].type if told.errors else "value_error")
        for position, told in sorted(by_position.items())[:_NAMED]
    )
    named = f"{_noun(job, first)} was not accepted: {error.message}"
    return GatewayError(Code.INPUT_INVALID, f"{named} (and {len(more)} more)" if more else named, errors=errors)


def leaves_a_reply(job: Job, answered: Collection[int], refused: Collection[int]) -> bool:
    """Whether there is a reply without the refused units: some input has its answer, and every label, if there are."""
    return any(at < job.item_count for at in answered) and all(at < job.item_count for at in refused)


def _field(job: Job, position: int) -> str:
    """Where in the client's body a unit stands; labels are counted through all their sets."""
    name = "documents" if job.endpoint == "rerank" else "input"
    if position >= job.item_count:
        name, position = "labels", position - job.item_count
    return f"body -> {job.model} -> {name} -> {position}"


def _noun(job: Job, position: int) -> str:
    if position >= job.item_count:
        return f"Label {position - job.item_count}"
    return f"{'Document' if job.endpoint == 'rerank' else 'Input'} {position}"
