"""P: a text → its blocks by the look of its lines: headings, list items, quotes, tables, fenced code, paragraphs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Span = tuple[int, int]

# Every pattern of the segmenter is made of possessive runs that may be empty or that the search begins with: none ever
# gives characters back, and matches do not overlap, so that a whole text takes time linear in its length.
LINE = re.compile(r"[^\n\r\u2028\u2029]*+(?:\r\n|[\n\r\u2028\u2029])?+")
_FENCE = re.compile(r"`{3,8}+|~{3,8}+|\$\$")
_HEADING = re.compile(r"#{1,7}+\s|</?[hH][1-6]")
_ITEM = re.compile(r"[-*+•‣◦]\s|[0-9a-zA-Z]{1,3}+[.)]\s")
_UNDERLINE = re.compile(r"(?:=++|-++)\Z")

_WRAPPED = 40
"""A line of so many characters may have been wrapped; a shorter one ends where its author wanted it to."""


class _Kind(Enum):
    PLAIN = auto()
    HEADING = auto()
    ITEM = auto()
    QUOTE = auto()
    ROW = auto()
    FENCE = auto()


@dataclass(slots=True)
class Block:
    """Characters that belong together, without the white space around; `by_lines`: code or a table, not sentences."""

    start: int
    end: int
    by_lines: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str
    indented: bool
    kind: _Kind

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def blocks(text: str, start: int, end: int) -> list[Block]:
    """The blocks between two positions, in order; between them is only white space."""
    found: list[Block] = []
    before: _Line | None = None
    fence = ""
    for line in _lines(text, start, end):
        if line is None:
            before = None
        elif fence:
            found[-1].end = line.end
            if line.text == fence:
                fence, before = "", None
        elif before is not None and _goes_on(before, line):
            found[-1].end = line.end
            before = line if line.kind is not _Kind.PLAIN else _Line(line.start, line.text, line.indented, before.kind)
        else:
            found.append(Block(line.start, line.end, line.kind in {_Kind.ROW, _Kind.FENCE}))
            fence = _opened(line)
            before = line
    return found


def lines(text: str, start: int, end: int) -> list[Span]:
    """Where the lines that are not blank begin and end, without the white space around them."""
    return [(line.start, line.end) for line in _lines(text, start, end) if line is not None]


def _lines(text: str, start: int, end: int) -> Iterator[_Line | None]:
    """Each line; None for a blank one."""
    for match in LINE.finditer(text, start, end):
        whole = match[0]
        bare = whole.strip()
        if bare:
            indent = len(whole) - len(whole.lstrip())
            yield _Line(match.start() + indent, bare, indent > 0, _kind(bare))
        elif whole:
            yield None


def _kind(line: str) -> _Kind:
    if _FENCE.match(line):
        return _Kind.FENCE
    if _HEADING.match(line):
        return _Kind.HEADING
    if line[0] == "|":
        return _Kind.ROW
    if line[0] == ">":
        return _Kind.QUOTE
    return _Kind.ITEM if _ITEM.match(line) else _Kind.PLAIN


def _opened(line: _Line) -> str:
    """The line that will close the fenced block which this one opens; empty for none."""
    fence = _FENCE.match(line.text)
    if fence is None or (line.text.endswith(fence[0]) and line.text != fence[0]):
        return ""  # opened and closed in one line
    return fence[0]


def _goes_on(before: _Line, line: _Line) -> bool:
    """Whether a line belongs to the block of the line right above it."""
    if line.kind in {_Kind.ROW, _Kind.QUOTE}:
        return before.kind is line.kind
    if before.kind is _Kind.PLAIN and _UNDERLINE.match(line.text):
        return True  # a heading that is underlined
    if line.kind is not _Kind.PLAIN:
        return False
    if before.kind is _Kind.ITEM and line.indented:
        return True
    ending = before.text[-1]
    wrapped = len(before.text) >= _WRAPPED and (ending.isalnum() or ending in ",;-\u2013\u2014")
    return wrapped and before.kind in {_Kind.PLAIN, _Kind.ITEM, _Kind.QUOTE} and line.text[0].islower()
