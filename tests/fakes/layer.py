"""P: an in-process layer (stores.layered) above a cache that tells what it is asked."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from fakes.answers import FakeAnswers
from fakes.clock import FakeClock

from gateway.stores.layered import LayeredAnswers
from gateway.vocabulary import Answer, ItemKey, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def key(number: int) -> ItemKey:
    return ItemKey(number.to_bytes(16, "little"), number.to_bytes(16, "big"))


def answer(number: int, values: int = 4) -> Answer:
    return Answer(Shape.DENSE, struct.pack("<f", number) * values, values, 1)


class Counting(FakeAnswers):
    """A cache that tells what it is asked."""

    def __init__(self) -> None:
        super().__init__(ttl_seconds=1e9)
        self.asked: list[int] = []
        self.keeps = True

    def keep(self, entries: Sequence[tuple[ItemKey, Answer]]) -> bool:
        return self.keeps and super().keep(entries)

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        self.asked += [int.from_bytes(entry.address, "little") for entry in keys]
        return await super().get(keys)

    def fetch(self, keys: Sequence[ItemKey], done: Callable[[list[Answer | None]], None]) -> None:
        self.asked += [int.from_bytes(entry.address, "little") for entry in keys]
        super().fetch(keys, done)


def layer(limit: int = 1_000_000) -> tuple[LayeredAnswers, Counting, FakeClock]:
    inner, clock = Counting(), FakeClock()
    return LayeredAnswers(inner, limit, 60.0, clock), inner, clock
