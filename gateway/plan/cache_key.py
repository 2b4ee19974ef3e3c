"""P: the identity of an answer: a length-prefixed record of everything that can change it, its address and proof."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import xxhash

from gateway.vocabulary import CacheScope, Inline, ItemKey, Modality

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.vocabulary import Caller, Item, Job, Part, Unit

RECORD_VERSION = b"gateway-record-1"
"""Part of every record: raise it when the record's form changes, and old entries become misses."""

PROOF_BYTES = 16
_PURPOSE = b"gw-answer"


def scope_name(caller: Caller, scope: CacheScope | None = None) -> bytes:
    """Whose answers these are; part of the record, so that scopes never see each other's entries.

    `scope` is the caller's by default.
    """
    match scope or caller.cache_scope:
        case CacheScope.SHARED:
            return b"shared"
        case CacheScope.ORG:
            return b"org\0" + caller.org.encode()
        case _:
            return b"tenant\0" + caller.tenant.encode()


def _fields(values: Iterable[bytes]) -> bytes:
    """Each value behind its length, so that no two different sequences have the same bytes."""
    parts: list[bytes] = []
    for value in values:
        parts += (len(value).to_bytes(8, "little"), value)
    return b"".join(parts)


_TEXT = _fields((Modality.TEXT.encode(),))
_BEFORE_TEXT = len(_TEXT) + 8
"""Bytes of the modality, with its length, and of the length of what follows."""


def _parameter(value: str | int | bool) -> bytes:  # noqa: FBT001 - a JSON scalar, not a switch
    """A scalar with its type: the string "1", the number 1 and true are three things."""
    return type(value).__name__.encode() + b":" + str(value).encode("utf-8", "surrogatepass")


def job_record(job: Job, scope: bytes) -> bytes:
    """The part of the record that all units of a job share."""
    query = (b"",) if job.query is None else (b"query", job.query.encode("utf-8", "surrogatepass"))
    values = [
        RECORD_VERSION,
        scope,
        job.endpoint.encode(),
        job.model.encode(),
        job.revision.encode(),
        job.shape.encode(),
        b"whole" if job.whole else b"single",
        _fields(query),
        *(_fields((name.encode(), _parameter(value))) for name, value in job.parameters),
    ]
    return _fields((_fields(values),))


def _item(item: Item) -> bytes:
    return _fields((item.modality.encode(), *map(_part, item.parts)))


def _part(part: Part) -> bytes:
    """Two fields of what is written; three, with a digest instead of megabytes, of what came as bytes."""
    if isinstance(part, Inline):
        return _fields((part.modality.encode(), b"sha256", part.digest))
    return _fields((part.modality.encode(), part.value.encode("utf-8", "surrogatepass")))


def unit_record(unit: Unit) -> bytes:
    """The part of the record that is a unit's own: each item's modality, each part's modality and text or bytes."""
    if len(unit) == 1 and unit[0].modality is Modality.TEXT and len(unit[0].parts) == 1:
        part = unit[0].parts[0]
        if part.modality is Modality.TEXT and not isinstance(part, Inline):
            return _one_text(part.value)
    return _fields(_item(item) for item in unit)


def _one_text(text: str) -> bytes:
    """What `_fields` makes of a unit that is one text, as most are, put down at once."""
    value = text.encode("utf-8", "surrogatepass")
    size = len(value)
    part, item = size + _BEFORE_TEXT, size + 2 * _BEFORE_TEXT
    return b"".join(
        (item.to_bytes(8, "little"), _TEXT, part.to_bytes(8, "little"), _TEXT, size.to_bytes(8, "little"), value)
    )


def item_key(shared: bytes, unit: Unit, secret: bytes) -> ItemKey:
    """Address and proof of a unit, given its job's shared record.

    XXH3-128 only finds: its collisions are easy to make. The keyed digest proves, and nobody without `secret` can
    make two records share it (DESIGN rule 5).
    """
    record = shared + unit_record(unit)
    proof = blake2b(record, digest_size=PROOF_BYTES, key=secret[:64], person=_PURPOSE).digest()
    return ItemKey(xxhash.xxh3_128_digest(record), proof)


_BREADTH = (CacheScope.OFF, CacheScope.TENANT, CacheScope.ORG, CacheScope.SHARED)


def narrower(one: CacheScope, other: CacheScope) -> CacheScope:
    """Of two scopes the one that fewer callers share."""
    return min(one, other, key=_BREADTH.index)


def keys_of(
    job: Job, caller: Caller, secret: bytes, salt: str = "", scope: CacheScope | None = None
) -> tuple[ItemKey, ...]:
    """A key for each unit of a job, in the caller's scope or another; answers of another `salt` are another scope's."""
    shared = job_record(job, _fields((scope_name(caller, scope), salt.encode())))
    return tuple([item_key(shared, unit, secret) for unit in job.units])
