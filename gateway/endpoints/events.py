"""P: server-sent events (WHATWG HTML §9.2) as bytes: cut apart as they come, without waiting for more than one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from gateway.vocabulary import Json

TYPE = "text/event-stream"
LONGEST_EVENT = 8_388_608
"""Bytes of one event; a snapshot of a long page is one."""

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")


class Events:
    """Puts bytes together to whole events, each with the blank line that ends it."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._seen = 0

    def take(self, piece: bytes) -> list[bytes]:
        """The events that are complete now.

        Raises:
            ValueError: one is longer than LONGEST_EVENT.
        """
        self._pending += piece
        found, start = [], 0
        for match in _END.finditer(self._pending, self._seen):
            found.append(bytes(self._pending[start : match.end()]))
            start = match.end()
        del self._pending[:start]
        self._seen = max(0, len(self._pending) - 3)  # a blank line may be cut in two
        if len(self._pending) > LONGEST_EVENT:
            raise ValueError("an event is too long")
        return found

    def rest(self) -> bytes:
        """What came of an event that never ended."""
        left = bytes(self._pending)
        self._pending.clear()
        return left


def data_of(event: bytes) -> bytes:
    """The data of an event: its `data` lines, joined."""
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines)


def json_data(event: bytes) -> Json:
    """The data of an event as JSON; None where it is something else."""
    try:
        return orjson.loads(data_of(event))
    except orjson.JSONDecodeError:
        return None


def error_event(body: bytes) -> bytes:
    """The last event of a stream that failed; `body` is the JSON of the failure."""
    return b"event: error\ndata: " + body + b"\n\n"
