"""P: the identity of an answer: a length-prefixed record of everything that can change it, its address and proof."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING

import xxhash

from gateway.vocabulary import CacheScope, Inline, ItemKey, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.vocabulary import Caller, Item, Job, Piece, Unit

RECORD_VERSION = b"gateway-record-1"
"""Part of every record: raise it when the record's form changes, and old entries become misses."""

PROOF_BYTES = 16
AT_ONCE = 256
MUCH = 1_048_576
"""Bytes of content whose keys are made at once: about two milliseconds."""
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
_pack = Struct(f"<Q{len(_TEXT)}sQ{len(_TEXT)}sQ").pack
_WRITTEN = Modality.TEXT


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


def _part(part: Piece) -> bytes:
    """Two fields of what is written; three, with a digest instead of megabytes, of what came as bytes."""
    if isinstance(part, Inline):
        return _fields((part.modality.encode(), b"sha256", part.digest))
    return _fields((part.modality.encode(), part.value.encode("utf-8", "surrogatepass")))


def unit_record(unit: Unit) -> bytes:
    """The part of the record that is a unit's own: each item's modality, each part's modality and text or bytes."""
    if len(unit) == 1:
        item = unit[0]
        if item.modality is _WRITTEN and len(item.parts) == 1:
            part = item.parts[0]
            if type(part) is Part and part.modality is _WRITTEN:
                # What `_fields` makes of a unit that is one text, as most are, put down at once.
                value = part.value.encode("utf-8", "surrogatepass")
                size = len(value)
                return _pack(size + _BEFORE_TEXT + _BEFORE_TEXT, _TEXT, size + _BEFORE_TEXT, _TEXT, size) + value
    return _fields(_item(item) for item in unit)


class KeyMaker:
    """Makes the keys of one job's units, given what they share and the gateway's secret.

    XXH3-128 only finds: its collisions are easy to make. The keyed digest proves, and nobody without `secret` can
    make two records share it (DESIGN rule 5).
    """

    def __init__(self, shared: bytes, secret: bytes) -> None:
        self._shared = shared
        # The key and what is shared are digested once for all units: half of the work where those are short.
        self._begun = blake2b(shared, digest_size=PROOF_BYTES, key=secret[:64], person=_PURPOSE)

    def extend(self, keys: list[ItemKey], units: Sequence[Unit]) -> bool:
        """Add address and proof of the next units: of each one's record behind the shared one.

        Returns False while some are left: after AT_ONCE, or after MUCH content, so that others may run.
        """
        shared, begun = self._shared, self._begun.copy
        address, made = xxhash.xxh3_128_digest, tuple.__new__
        left = MUCH
        for unit in units[len(keys) : len(keys) + AT_ONCE]:
            own = unit_record(unit)
            proof = begun()
            proof.update(own)
            keys.append(made(ItemKey, (address(shared + own), proof.digest())))
            left -= len(own)
            if left < 0:
                break
        return len(keys) == len(units)

    def of_texts(self, texts: Sequence[str]) -> list[ItemKey]:
        """The keys of units that are one text each, all at once."""
        shared, begun = self._shared, self._begun.copy
        address, made, pack = xxhash.xxh3_128_digest, tuple.__new__, _pack
        keys: list[ItemKey] = []
        for text in texts:
            value = text.encode("utf-8", "surrogatepass")
            size = len(value)
            own = pack(size + _BEFORE_TEXT + _BEFORE_TEXT, _TEXT, size + _BEFORE_TEXT, _TEXT, size) + value
            proof = begun()
            proof.update(own)
            keys.append(made(ItemKey, (address(shared + own), proof.digest())))
        return keys


_BREADTH = (CacheScope.OFF, CacheScope.TENANT, CacheScope.ORG, CacheScope.SHARED)


def narrower(one: CacheScope, other: CacheScope) -> CacheScope:
    """Of two scopes the one that fewer callers share."""
    return min(one, other, key=_BREADTH.index)


def key_maker(job: Job, caller: Caller, secret: bytes, salt: str = "", scope: CacheScope | None = None) -> KeyMaker:
    """For the keys of a job in the caller's scope or another; answers of another `salt` are another scope's."""
    return KeyMaker(job_record(job, _fields((scope_name(caller, scope), salt.encode()))), secret)


def keys_of(
    job: Job, caller: Caller, secret: bytes, salt: str = "", scope: CacheScope | None = None
) -> tuple[ItemKey, ...]:
    """A key for each unit of a job; see key_maker."""
    maker, keys = key_maker(job, caller, secret, salt, scope), list[ItemKey]()
    while not maker.extend(keys, job.units):
        pass
    return tuple(keys)
