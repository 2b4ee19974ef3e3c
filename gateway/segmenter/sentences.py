"""P: a stretch of prose → its sentences; one that is too long → parts that end at clauses or words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.segmenter.blocks import Span
    from gateway.segmenter.positions import Units

END = re.compile(r"(?:[.!?…]++|(?P<wide>[。！？｡؟।۔]++))[\"'”’»)\]」』）】]*+(?P<gap>\s*+)")  # noqa: RUF001 - these and no others
_WORD = re.compile(r"[^\W\d_]++\Z")
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "prof", "st", "vs", "fig", "al", "nr", "ca", "sr", "jr"})
_LOOK_BACK = 6
"""Characters before a full stop that say whether it ends a sentence; no abbreviation above is longer."""

_LOOK_FOR = 100
"""Characters before the limit in which a good place to cut a long sentence is looked for."""

_CLAUSE_ENDS = frozenset(",;:，；：、،؛–—)）")  # noqa: RUF001 - as above
_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")
_MODIFIERS = ("\U0001f3fb", "\U0001f3ff")
_MOST_MARKS = 16


def sentences(text: str, start: int, end: int) -> list[Span]:
    """Where the sentences between two positions begin and end, without the white space behind them."""
    found = []
    for match in END.finditer(text, start, end):
        if match.end() < end and _ends(text, match, start):
            found.append((start, match.start("gap")))
            start = match.end()
    found.append((start, end))
    return found


def _ends(text: str, match: re.Match[str], start: int) -> bool:
    if match["wide"]:
        return True
    if not match["gap"] or text[match.end()].islower():
        return False
    if text[match.start()] != ".":
        return True
    word = _WORD.search(text[max(start, match.start() - _LOOK_BACK) : match.start()])
    return word is None or not ((len(word[0]) == 1 and word[0].isupper()) or word[0].lower() in _ABBREVIATIONS)


def parts(text: str, units: Units, span: Span, limit: int) -> list[Span]:
    """A span in parts of at most `limit` UTF-16 units (one character at least), cut at the best place near there."""
    start, end = span
    found = []
    while units.width(start, end) > limit:
        far = units.reach(start, end, limit)
        cut = _place(text, start, far) if far < end else end
        found.append((start, start + len(text[start:cut].rstrip())))
        while cut < end and text[cut].isspace():
            cut += 1
        start = cut
    if start < end:
        found.append((start, end))
    return [part for part in found if part[0] < part[1]]


def _place(text: str, start: int, far: int) -> int:
    """Where to cut at the latest at `far`: behind a clause, else behind a word, else between two characters."""
    word = 0
    for at in range(far, max(start, far - _LOOK_FOR), -1):
        if text[at].isspace() or text[at - 1].isspace():
            word = word or at
        if text[at - 1] in _CLAUSE_ENDS and not text[at].isalnum():
            return at
    return word or _whole(text, start, far)


def _whole(text: str, start: int, far: int) -> int:
    """A little before `far`, where a character with its marks would be torn apart; else `far`."""
    for at in range(far, max(start, far - _MOST_MARKS), -1):
        if not (_belongs(text[at]) or text[at - 1] == "\u200d"):
            return at
    return far


def _belongs(character: str) -> bool:
    """Whether it is written on, or changes, the character before it."""
    return character in _JOINERS or _MODIFIERS[0] <= character <= _MODIFIERS[1] or unicodedata.combining(character) > 0
