"""P: what a client is told whose list holds units that the backend refused for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Code, FieldError, GatewayError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.vocabulary import Job


_NAMED = 64
"""Units that are named in one error at most."""


def refused(job: Job, by_position: Mapping[int, GatewayError]) -> GatewayError:
    """What a client is told whose list holds units that the backend refused for themselves: which, and why."""
    (first, error), *more = sorted(by_position.items())
    if not more and job.item_count == 1:
        return error.again()
    field = f"body -> {job.model} -> {'documents' if job.endpoint == 'rerank' else 'input'}"
    errors = tuple(
        FieldError(f"{field} -> {position}", told.message, told.errors[0].type if told.errors else "value_error")
        for position, told in sorted(by_position.items())[:_NAMED]
    )
    named = f"{'Document' if job.endpoint == 'rerank' else 'Input'} {first} was not accepted: {error.message}"
    return GatewayError(Code.INPUT_INVALID, f"{named} (and {len(more)} more)" if more else named, errors=errors)
