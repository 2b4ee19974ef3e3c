"""E: the in-process layer above a cache (ports.AnswerStore): answers and their ready-to-send forms, within bytes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.stores.weights import bare, forms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import AnswerStore, Clock
    from gateway.vocabulary import Answer, ItemKey

REWEIGH_SECONDS = 1.0
"""Longer than it takes to assemble an answer; until then it is taken to get the forms that others got."""

_LATEST = 1 / 16
"""Weight of the latest answer in what is expected of the next."""


@dataclass(slots=True)
class _Held:
    answer: Answer
    until: float
    weight: int
    least: int
    due: bool = False
    followed: bool = False


class LayeredAnswers:
    """Holds what was asked for lately; asks `inner` for the rest, and nobody when there is no rest.

    Entries are found by their proof, which nobody can make for another's input. They live at most `seconds`, however
    often they are used, so that what is deleted in the store is forgotten here, too. An answer grows ready-to-send
    forms after it was handed out, so it is weighed again REWEIGH_SECONDS later, until then with the forms that others
    got lately: a second of lists may bring more than the limit. `limit_bytes` 0 holds nothing. `evicted` went for want
    of room; `found` and `missing` is what `inner` had to be asked for.
    """

    def __init__(self, inner: AnswerStore, limit_bytes: int, seconds: float, clock: Clock) -> None:
        self._inner = inner
        self._limit = limit_bytes
        self._seconds = seconds
        self._clock = clock
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._touched: deque[tuple[float, bytes]] = deque()
        self._grows = 0.0
        self._lost: Callable[[], None] = _nobody
        self.weight = self.evicted = self.found = self.missing = 0

    @property
    def entries(self) -> int:
        """Answers that are held."""
        return len(self._held)

    @property
    def limit_bytes(self) -> int:
        """What `weight`, their bytes, may come to."""
        return self._limit

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """As AnswerStore.get."""
        found, missing = self._look(keys)
        if missing:
            rest = [keys[at] for at in missing]
            self._fill(found, missing, rest, await self._inner.get(rest))
        return found

    def fetch(self, keys: Sequence[ItemKey], done: Callable[[list[Answer | None]], None]) -> None:
        """As AnswerStore.fetch."""
        if not self._limit:
            self._inner.fetch(keys, partial(self._pass_on, done))
            return
        found, missing = self._look(keys)
        if not missing:
            asyncio.get_running_loop().call_soon(done, found)
            return
        rest = [keys[at] for at in missing]

        def told(stored: list[Answer | None]) -> None:
            self._fill(found, missing, rest, stored)
            done(found)

        self._inner.fetch(rest, told)

    def _pass_on(self, done: Callable[[list[Answer | None]], None], stored: list[Answer | None]) -> None:
        """Nothing is held."""
        none = len([1 for answer in stored if answer is None])
        self.missing += none
        self.found += len(stored) - none
        done(stored)

    def _look(self, keys: Sequence[ItemKey]) -> tuple[list[Answer | None], list[int]]:
        """What is held of some answers, used now, and which of them are not."""
        now = self._clock.monotonic()
        self._weigh_touched(now)
        held, later = self._held, self._held.move_to_end
        found: list[Answer | None] = []
        missing: list[int] = []
        for key in keys:
            proof = key.proof
            entry = held.get(proof)
            if entry is None or entry.until <= now:
                self._drop(proof)
                missing.append(len(found))
                found.append(None)
                continue
            later(proof)
            if not entry.due:
                self._touch(entry, proof, now)
            found.append(entry.answer)
        if self.weight > self._limit:
            self._evict()
        return found, missing

    def _fill(
        self,
        found: list[Answer | None],
        missing: Sequence[int],
        rest: Sequence[ItemKey],
        stored: Sequence[Answer | None],
    ) -> None:
        """Fill in what the store had of the rest, and hold it."""
        now = self._clock.monotonic()
        for at, key, answer in zip(missing, rest, stored, strict=True):
            if answer is not None:
                found[at] = answer
                self._hold(key, answer, now)
                self.found += 1
            else:
                self.missing += 1

    def held(self, keys: Sequence[ItemKey], now: float) -> dict[bytes, Answer] | None:
        """The answers by their proofs, if all are held here; nothing is asked, and nothing counts as used."""
        entries = self._held
        found: dict[bytes, Answer] = {}
        for key in keys:
            held = entries.get(key.proof)
            if held is None or held.until <= now:
                return None
            found[key.proof] = held.answer
        return found

    def at_hand(self, keys: Sequence[ItemKey], now: float) -> list[Answer] | None:
        """The answer for each key, if all are held here; they count as used then."""
        self._weigh_touched(now)
        entries = self._held
        used: list[_Held] = []
        for key in keys:
            held = entries.get(key.proof)
            if held is None or held.until <= now:
                return None
            used.append(held)
        for key, held in zip(keys, used, strict=True):
            entries.move_to_end(key.proof)
            if not held.due:
                self._touch(held, key.proof, now)
        if self.weight > self._limit:
            self._evict()
        return [held.answer for held in used]

    def holds(self, sources: Sequence[tuple[bytes, Answer]], now: float) -> bool:
        """Whether each of these very answers is still held under its proof; they count as used then."""
        entries = self._held
        for proof, answer in sources:
            held = entries.get(proof)
            if held is None or held.answer is not answer or held.until <= now:
                return False
        for proof, _ in sources:
            entries.move_to_end(proof)
        return True

    def tell(self, lost: Callable[[], None]) -> None:
        """`lost` is called whenever an answer that is followed, or a form of it, is held no more, or is another."""
        self._lost = lost

    def follow(self, keys: Sequence[ItemKey]) -> float:
        """Follow answers, all of which are held; returns until when they are (monotonic seconds)."""
        entries = [self._held[key.proof] for key in keys]
        for held in entries:
            held.followed = True
        return min([held.until for held in entries])

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """As AnswerStore.put."""
        now = self._clock.monotonic()
        self._weigh_touched(now)
        for key, answer in entries:
            self._hold_fresh(key, answer, now)
        await self._inner.put(entries)

    def keep(self, entries: Sequence[tuple[ItemKey, Answer]]) -> bool:
        """As AnswerStore.keep."""
        if not self._inner.keep(entries):
            return False
        now = self._clock.monotonic()
        self._weigh_touched(now)
        for key, answer in entries:
            self._hold_fresh(key, answer, now)
        return True

    def _hold(self, key: ItemKey, answer: Answer, now: float) -> None:
        self._drop(key.proof)
        least = bare(answer)
        weight = least + forms(answer) if answer.fragments else least
        if weight > self._limit:
            return
        if not answer.fragments:
            weight = min(weight + int(weight * self._grows), self._limit)
        self._held[key.proof] = _Held(answer, now + self._seconds, weight, least, due=True)
        self._touched.append((now + REWEIGH_SECONDS, key.proof))
        self.weight += weight
        if self.weight > self._limit:
            self._evict()

    def _hold_fresh(self, key: ItemKey, answer: Answer, now: float) -> None:
        """Hold what was just computed: whoever had it computed was told in a form of their own."""
        self._drop(key.proof)
        weight = bare(answer)
        if weight > self._limit:
            return
        self._held[key.proof] = _Held(answer, now + self._seconds, weight, weight)
        self.weight += weight
        if self.weight > self._limit:
            self._evict()

    def _touch(self, held: _Held, proof: bytes, now: float) -> None:
        if not held.due:
            held.due = True
            self._touched.append((now + REWEIGH_SECONDS, proof))
            if held.weight == held.least:  # it will soon have forms
                grown = min(int(held.least * self._grows), self._limit - held.least)
                held.weight += grown
                self.weight += grown

    def _drop(self, proof: bytes) -> None:
        held = self._held.pop(proof, None)
        if held is not None:
            self.weight -= held.weight
            if held.followed:
                self._lost()

    def _weigh_touched(self, now: float) -> None:
        """Weigh what was handed out a while ago; by now it has the forms it was wanted in."""
        while self._touched and self._touched[0][0] <= now:
            _, proof = self._touched.popleft()
            held = self._held.get(proof)
            if held is not None:
                held.due = False
                weight = held.least + forms(held.answer)
                self._grows += (weight / held.least - 1 - self._grows) * _LATEST
                self.weight += weight - held.weight
                held.weight = weight
        if self.weight > self._limit:
            self._evict()

    def _evict(self) -> None:
        """Make room: an answer loses its forms first, which are made again sooner than the store is asked."""
        while self.weight > self._limit:
            proof, held = next(iter(self._held.items()))
            if held.weight > held.least:
                held.answer.fragments.clear()
                if held.followed:
                    self._lost()
                self.weight -= held.weight - held.least
                held.weight = held.least
                self._held.move_to_end(proof)
            else:
                self._drop(proof)
                self.evicted += 1


def _nobody() -> None:
    """No answer is followed."""
