"""P: the state in a store as lines of JSON, each key with its serialised value, and an end by which a cut is known."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pybase64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT = "gateway-state-1"
FOR_EVER = -1

TRANSIENT = ("c", "f", "v", "p", "h", "w", "y-claim", "{workers}")
"""First parts of names that are not state: the cache and what serves it, rests, failures, who is alive."""

_WINDOWS = ("requests", "tokens", "holds", "expiries")
"""Last parts of what limits a minute is over, or was held by workers who will be dead."""


class Kept(NamedTuple):
    """One key: its name without the prefix, milliseconds left to live, its value as DUMP gives it."""

    name: str
    life_ms: int
    value: bytes


class ArchiveError(Exception):
    """The lines are not what a backup writes; the message says where."""


def is_state(name: str) -> bool:
    """Whether a key, named without its prefix, is worth keeping: no cache entry, nothing that is over in minutes."""
    if name.partition(":")[0] in TRANSIENT:
        return False
    return not (name.startswith("{") and name.rpartition("}:")[2] in _WINDOWS)


def tag(name: str) -> str:
    """What keys share that one script may read together: the hash tag, or the whole name."""
    inside = name.partition("{")[2].partition("}")[0]
    return inside or name


class Writer:
    """Makes the lines; `made_ms` is the store's clock."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=16)
        self._count = 0

    def start(self, made_ms: int) -> bytes:
        """The first line."""
        return self._line({"format": FORMAT, "made_ms": made_ms})

    def entry(self, kept: Kept) -> bytes:
        """A key's line."""
        self._count += 1
        return self._line([kept.name, kept.life_ms, pybase64.b64encode_as_string(kept.value)])

    def end(self) -> bytes:
        """The last line."""
        return self._line({"keys": self._count, "digest": self._digest.hexdigest()})

    def _line(self, content: object) -> bytes:
        line = orjson.dumps(content) + b"\n"
        self._digest.update(line)
        return line


def read(lines: Iterable[bytes]) -> tuple[int, list[Kept]]:
    """When the archive was made, in milliseconds, and all that is in it; complete and undamaged.

    Raises:
        ArchiveError: it is something else, damaged or cut.
    """
    made_ms, kept, ended = 0, list[Kept](), False
    digest = blake2b(digest_size=16)
    for number, line in enumerate(_parsed(lines), 1):
        text, content = line
        if number == 1:
            made_ms = _first(content)
        elif isinstance(content, dict) and not ended:
            if content != {"keys": len(kept), "digest": digest.hexdigest()}:
                raise ArchiveError(f"damaged before line {number}")
            ended = True
        else:
            kept.append(_entry(content, number, ended=ended))
        digest.update(text)
    if not ended:
        raise ArchiveError("cut off: it has no end")
    return made_ms, kept


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[bytes, object]]:
    for number, line in enumerate(lines, 1):
        try:
            yield line, orjson.loads(line)
        except orjson.JSONDecodeError:
            raise ArchiveError(f"damaged at line {number}") from None


def _first(content: object) -> int:
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("made_ms"), int):
        raise ArchiveError("not a backup of this version")
    return int(content["made_ms"])


def _entry(content: object, number: int, *, ended: bool) -> Kept:
    match content:
        case [str(name), int(life_ms), str(value)] if not ended and life_ms >= FOR_EVER:
            try:
                return Kept(name, life_ms, pybase64.b64decode(value, validate=True))
            except ValueError:
                pass
    raise ArchiveError(f"damaged at line {number}")
