"""P: an answer of the reader and its like on its way: what it says it counted, in JSON, a header or the last event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.events import Events, json_data
from gateway.endpoints.passing import estimated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.vocabulary import Json

HEADER = "x-usage-tokens"


class ServiceGauge:
    """passing.Gauge. `free`: nothing counts. `otherwise` is what counts where the answer does not say; else its size.

    The events of a stream are snapshots: the last one is all there is.
    """

    def __init__(self, *, free: bool = False, otherwise: int | None = None) -> None:
        self.failed = False
        self.prompt: int | None = None
        self.counted: int | None = 0 if free else None
        self._free = free
        self._otherwise = otherwise
        self._events = Events()
        self._size = 0

    @property
    def estimate(self) -> int:
        """Tokens of the last snapshot, or of the whole."""
        return estimated(self._size) if self._otherwise is None else self._otherwise

    def take(self, piece: bytes) -> bytes:
        """All of it, as it comes."""
        try:
            events = self._events.take(piece)
        except ValueError:
            self.failed = True
            return b""
        for event in events:
            self._size = max(self._size, len(event))
            self._count(json_data(event))
        return piece

    def end(self) -> bytes:
        """It was handed on already."""
        return b""

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Any answer will do: a page may be text, JSON or an image."""
        self._size = len(body)
        kind = headers.get("content-type", "")
        if "json" in kind:
            try:
                self._count(orjson.loads(body))
            except orjson.JSONDecodeError:
                return False
        told = headers.get(HEADER, "")
        if not self._free and self.counted is None and told.isascii() and told.isdigit():
            self.counted = int(told)
        return True

    def _count(self, content: Json) -> None:
        """`usage.tokens` of the answer, of its data, or of each of several pages; a newer snapshot's count holds."""
        if self._free or not isinstance(content, dict):
            return
        data = content.get("data")
        pages = [_tokens(page) for page in data] if isinstance(data, list) else [_tokens(data)]
        found = [tokens for tokens in pages if tokens is not None]
        own = _tokens(content)
        if own is None and isinstance(meta := content.get("meta"), dict):
            own = _tokens(meta)
        if own is not None:
            self.counted = own
        elif found:
            self.counted = sum(found)


def _tokens(content: Json) -> int | None:
    usage = content.get("usage") if isinstance(content, dict) else None
    if not isinstance(usage, dict):
        return None
    for name in ("tokens", "total_tokens"):
        count = usage.get(name)
        if type(count) is int and count >= 0:
            return count
    return None
