"""C: what each unit of a job can need at most, and how much text that is; counts in slices that spare the loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.tokens.bound import PAIR_TOKENS, SPECIAL_TOKENS, utf8_length
from gateway.tokens.images import image_size, tile_tokens
from gateway.values import value
from gateway.vocabulary import Item, Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.catalogue.model import Model
    from gateway.tokens.counter import Counter

MEDIA_TOKENS = 8_192
"""Reserved for an image, PDF, video or audio of which no rule tells more: what the smallest multimodal context holds,
so that one picture does not use up a free minute on a model with a long context. Settlement charges what is more."""

_CHUNK = 256
"""Items measured before others run: about a millisecond of short texts."""

_PIECES = 2
"""A slice is what one text may have; of several texts so much less is counted in one go: letters at random are slow."""

_UNCUT = 2
"""A text that counts less than one part in so many of a model's context is taken to be read in full."""


class Need(NamedTuple):
    """What one unit may need.

    `bound`: tokens it needs at most, exact where the model's own tokenizer counted. `counted`: the yardstick's count,
    None where that says nothing (not counted, cut by the model, not text). `length`: its bytes of text.
    `media`: something in it is not text, so that its bound is a guess or a rule.
    """

    bound: int
    counted: int | None
    length: int
    media: bool = False


@dataclass(slots=True)
class _Content:
    """What an item holds: bytes, tokens and number of its texts, tokens of the rest by guess and by tiles."""

    length: int = 0
    count: int | None = 0
    texts: int = 0
    media: int = 0
    tiles: int = 0

    def add(self, length: int, count: int | None) -> None:
        self.length += length
        self.count = None if self.count is None or count is None else self.count + count
        self.texts += 1


@value(frozen=True, slots=True)
class Ruler:
    """How a model's texts are measured: with its own tokenizer (`exact`), with a yardstick, or (None) not at all."""

    model: Model
    counter: Counter | None
    exact: bool

    def lone(self, item: Item) -> Need | None:
        """As `measure`, of one short text; None for anything else."""
        if item.modality is not Modality.TEXT:
            return None
        text, count = item.parts[0].value, None
        length = utf8_length(text)
        if self.counter is not None:
            if length > self.counter.slice_bytes:
                return None
            counted = self.counter.count((text,))
            count = None if counted is None else counted[0]
        bound = min(self._most(length, count) + SPECIAL_TOKENS, self.model.context_length)
        return self._need(_Content(length, count, 1), bound, SPECIAL_TOKENS)

    async def measure(self, items: Sequence[Item], query: str | None = None) -> list[Need]:
        """What each item needs, read together with the query where there is one. Others run between parts of a list."""
        needs: list[Need] = []
        for start in range(0, len(items), _CHUNK):
            if start:
                await asyncio.sleep(0)
            chunk = items[start : start + _CHUNK]
            needs += await (self._items(chunk) if query is None else self._pairs(query, chunk))
        return needs

    async def _items(self, items: Sequence[Item]) -> list[Need]:
        """Read alone an item needs never more than the context; images billed by tiles come on top."""
        context = self.model.context_length
        needs = []
        for content in await self._contents(items):
            marks = SPECIAL_TOKENS * content.texts
            bound = min(self._most(content.length, content.count) + marks + content.media, context) + content.tiles
            needs.append(self._need(content, bound, marks))
        return needs

    async def _pairs(self, query: str, items: Sequence[Item]) -> list[Need]:
        """Not cut at the context: rerankers read long documents in overlapping pieces."""
        (asked,) = await self._contents([Item.text(query)])
        needs = []
        for content in await self._contents(items):
            content.add(asked.length, asked.count)
            bound = self._most(content.length, content.count) + PAIR_TOKENS + content.media + content.tiles
            needs.append(self._need(content, bound, PAIR_TOKENS))
        return needs

    def _most(self, length: int, count: int | None) -> int:
        return count if self.exact and count is not None else length

    def _need(self, content: _Content, bound: int, marks: int) -> Need:
        """The count is kept where it may be multiplied."""
        count, media = content.count, bool(content.media or content.tiles)
        if count is None or self.exact or media or (count + marks) * _UNCUT > self.model.context_length:
            return Need(bound, None, content.length, media)
        return Need(bound, count + marks, content.length)

    async def _contents(self, items: Sequence[Item]) -> list[_Content]:
        texts = [part.value for item in items for part in item.parts if part.modality is Modality.TEXT]
        lengths = [utf8_length(text) for text in texts]
        measures = iter(zip(lengths, await self._counted(texts, lengths), strict=True))
        contents = [_Content() for _ in items]
        for content, item in zip(contents, items, strict=True):
            for part in item.parts:
                if part.modality is Modality.TEXT:
                    content.add(*next(measures))
                elif (billed := self._tiles(part.modality, part.value)) is None:
                    content.media += min(MEDIA_TOKENS, self.model.context_length)
                else:
                    content.tiles += billed
                    await asyncio.sleep(0)  # several hundred images may come in one list
        return contents

    def _tiles(self, modality: Modality, value: str) -> int | None:
        if self.model.tiles is None or modality is not Modality.IMAGE:
            return None
        size = image_size(value)
        return None if size is None else tile_tokens(*size, self.model.tiles)

    async def _counted(self, texts: Sequence[str], lengths: Sequence[int]) -> list[int | None]:
        """Each text's count, None for those that are longer than a slice."""
        counts: list[int | None] = [None] * len(texts)
        if self.counter is None:
            return counts
        most = self.counter.slice_bytes
        piece: list[int] = []
        filled = 0
        for at, length in enumerate(lengths):
            if length > most:
                continue
            if piece and filled + length > most // _PIECES:
                self._count_piece(texts, piece, counts)
                await asyncio.sleep(0)
                piece, filled = [], 0
            piece.append(at)
            filled += length
        self._count_piece(texts, piece, counts)
        return counts

    def _count_piece(self, texts: Sequence[str], piece: Sequence[int], counts: list[int | None]) -> None:
        if self.counter is not None and piece:
            found = self.counter.count([texts[at] for at in piece])
            if found is not None:
                for at, count in zip(piece, found, strict=True):
                    counts[at] = count
