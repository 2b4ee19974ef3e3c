"""P: places in a text as UTF-16 code units, which is how clients of the segmenter's API count."""

from __future__ import annotations

from array import array
from itertools import accumulate

_LAST_OF_ONE = "\uffff"
"""The last character that is one code unit; all later ones are a pair."""


class Units:
    """Offsets of a text's characters in UTF-16 code units; made once a text, in time linear in its length."""

    def __init__(self, text: str) -> None:
        self._offsets: array[int] | None = None
        if text and max(text) > _LAST_OF_ONE:
            self._offsets = array("L", accumulate((1 + (one > _LAST_OF_ONE) for one in text), initial=0))

    def at(self, position: int) -> int:
        """The code units before a character."""
        return position if self._offsets is None else self._offsets[position]

    def width(self, start: int, end: int) -> int:
        """The code units of the characters from `start` up to `end`."""
        return self.at(end) - self.at(start)

    def reach(self, start: int, end: int, limit: int) -> int:
        """The last position up to `end` that is at most `limit` units behind `start`, but one character at least."""
        far = min(end, start + limit)
        while far > start + 1 and self.width(start, far) > limit:
            # Each pair too many is two units, so half of what is too much, rounded up, can go.
            far = max(start + 1, far - (self.width(start, far) - limit + 1) // 2)
        return far
