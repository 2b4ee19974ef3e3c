"""P: a trace (ports.Trace) that keeps everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.vocabulary import ItemKey


class FakeTrace:
    def __init__(self) -> None:
        self.keys: list[ItemKey] = []

    def sampled(self, keys: Sequence[ItemKey]) -> tuple[ItemKey, ...]:
        return tuple(keys)

    def seen(self, keys: Sequence[ItemKey]) -> None:
        self.keys += keys
