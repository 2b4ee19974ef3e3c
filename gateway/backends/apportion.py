"""P: a call's tokens shared out to its units, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.tokens.bound import utf8_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.backends.dialect import Ask
    from gateway.vocabulary import Unit

_BYTES_PER_TOKEN = 4
"""Only for backends that report no usage at all: English text has about four bytes a token."""


def weight(unit: Unit, query: str | None) -> int:
    """A unit's share in a call: its bytes, and the query's where each document is read together with it."""
    size = sum(utf8_length(part.value) for item in unit for part in item.parts)
    return size + (utf8_length(query) if query else 0) + 2


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Shares of `total` in proportion to `weights` that add up to it (largest remainder; ties to the first)."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [total * part // whole for part in weights]
    order = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index))
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares


def shares(total: int | None, ask: Ask) -> list[int]:
    """Tokens for each unit of a call that reported `total`, or an estimate by bytes where it reported nothing."""
    if total is not None and ask.weights is not None and any(ask.weights):
        return apportion(total, ask.weights)
    weights = [weight(unit, ask.job.query) for unit in ask.units]
    if total is None:
        return [-(-part // _BYTES_PER_TOKEN) for part in weights]
    return apportion(total, weights)
