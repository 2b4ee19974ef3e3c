"""P: a text → tokens by a vocabulary that is handed in; ids → what they spell, as far as it is whole characters."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Pair: TypeAlias = "tuple[str, list[int]]"
"""Characters, and the ids that spell them: one id as a rule, several where they share a character."""


class Vocabulary(Protocol):
    """One tokenizer."""

    @property
    def specials(self) -> Mapping[str, int]:
        """Marks that are one token each, and which no other text encodes to: `<|endoftext|>` and its like."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text in which marks are text like any other."""
        ...

    def spell(self, token: int) -> bytes:
        """The UTF-8 bytes of an id that `encode` gave; they may begin or end within a character."""
        ...


def encode(text: str, vocabulary: Vocabulary) -> list[int]:
    """All ids of a text; each mark is its own."""
    specials = vocabulary.specials
    if not specials:
        return vocabulary.encode(text)
    ids: list[int] = []
    for stretch in _marks(tuple(specials)).split(text):
        special = specials.get(stretch)
        if special is not None:
            ids.append(special)
        elif stretch:
            ids += vocabulary.encode(stretch)
    return ids


@lru_cache(maxsize=16)
def _marks(specials: tuple[str, ...]) -> re.Pattern[str]:
    """Alternatives are of fixed length, so a search takes time linear in the text's."""
    return re.compile("(" + "|".join(map(re.escape, sorted(specials, key=len, reverse=True))) + ")")


def without_specials(ids: Iterable[int], vocabulary: Vocabulary) -> list[int]:
    """The ids of ordinary text."""
    apart = frozenset(vocabulary.specials.values())
    return [token for token in ids if token not in apart]


def specials_among(ids: Iterable[int], vocabulary: Vocabulary) -> list[Pair]:
    """The marks, in order, as often as they occur."""
    names = {token: name for name, token in vocabulary.specials.items()}
    return [(names[token], [token]) for token in ids if token in names]


def pairs(ids: Iterable[int], vocabulary: Vocabulary) -> list[Pair]:
    """Ids by the characters that they spell; ids that end within a character go with the one that completes it.

    A character that is cut off, as ids were, is U+FFFD.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found: list[Pair] = []
    pending: list[int] = []
    for token in ids:
        pending.append(token)
        if text := decoder.decode(vocabulary.spell(token)):
            found.append((text, pending))
            pending = []
    if pending:
        found.append((decoder.decode(b"", final=True), pending))
    return found


def spelled(ids: Iterable[int], vocabulary: Vocabulary) -> int:
    """How many whole characters ids spell, marks among them."""
    names = {token: name.encode() for name, token in vocabulary.specials.items()}
    written = b"".join(names.get(token) or vocabulary.spell(token) for token in ids)
    return len(written.decode(errors="ignore"))
