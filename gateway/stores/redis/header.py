"""P: what an entry's header says of it, without its payload and without its proof's secret."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.plan.origin import NOBODY, TAG_BYTES
from gateway.stores.redis.entry import HEADER, VERSION

HEADER_BYTES = HEADER.size


@dataclass(frozen=True, slots=True)
class Described:
    """An entry's cost, time and origin.

    `made` in seconds since 1970 (0 unknown), `micros` in microseconds. `model` and `tenant` are tags (plan.origin),
    None in an entry that does not name them.
    """

    tokens: int
    made: int
    micros: int
    model: bytes | None = None
    tenant: bytes | None = None


def describe(prefix: bytes) -> Described | None:
    """What an entry's first HEADER_BYTES say; None for what is no entry of this version."""
    if len(prefix) < HEADER_BYTES or prefix[0] != VERSION:
        return None
    *_, tokens, _payload, _extra, made, micros, origin = HEADER.unpack_from(prefix)
    return Described(tokens, made, micros, _named(origin[:TAG_BYTES]), _named(origin[TAG_BYTES:]))


def _named(tag: bytes) -> bytes | None:
    return None if tag == NOBODY else tag
