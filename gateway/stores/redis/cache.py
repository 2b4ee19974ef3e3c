"""E: answers in Redis (ports.AnswerStore); a failing store is a miss, never an error."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.client import hand_over
from gateway.stores.redis.entry import CLAIMED, decode, encode
from gateway.stores.redis.owed import Owed
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Clock, Observer
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.cluster import Command, Field
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Answer, ItemKey

    Told = Callable[[list[Answer | None]], None]
    Entries = Callable[[Sequence[Any]], None]

ROLE = "cache"

CHUNK = 64
"""Entries a round trip: about 256 kB of vectors, so that neither the event loop nor the server is held up for long."""

FEW = 32
"""Entries that are written without waiting for the server; of more it is told when it has room."""

_OVER = -1
"""No turn of a line: nobody can join any more."""

SPREAD = 0.1
"""Entries made together do not expire together: a tenth more or less."""


class _Gathered:
    """One MGET on its way: the command, which still grows, and who asked for how many of its keys."""

    __slots__ = ("asked", "command", "turn")

    def __init__(self, turn: int) -> None:
        self.turn = turn
        self.command: list[Field] = ["MGET"]
        self.asked: list[tuple[int, Entries]] = []

    def tell(self, reply: Any) -> None:  # noqa: ANN401 - a list of entries, or why there is none
        """Give each asker their part of the reply."""
        self.turn = _OVER
        start = 0
        for count, entries in self.asked:
            part = [reply] * count if isinstance(reply, StoreError) else reply[start : start + count]
            hand_over(entries, part)
            start += count


class _Apart:
    """Several GETs on their way, each to its own node of a cluster."""

    __slots__ = ("_entries", "_found", "_left")

    def __init__(self, count: int, entries: Entries) -> None:
        self._found: list[Any] = [None] * count
        self._left = count
        self._entries = entries

    def take(self, at: int, reply: Any) -> None:  # noqa: ANN401 - an entry, or why there is none
        """One has come."""
        self._found[at] = reply
        self._left -= 1
        if not self._left:
            self._entries(self._found)


class RedisAnswers:
    """The cache. `ttl_seconds` is how long an answer is kept, for space, not for freshness."""

    def __init__(self, line: Line, keys: Keys, ttl_seconds: float, clock: Clock, observer: Observer) -> None:
        self._line = line
        self._keys = keys
        self._ttl = ttl_seconds
        self._clock = clock
        self._observer = observer
        self._gathered = _Gathered(_OVER)
        self._owed = Owed()
        self._drop = Script("claim_drop")

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """The answer for each key; None where there is none, it is another's, it is damaged, or the store failed."""
        if not keys:
            return []
        told: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
        self.fetch(keys, partial(_settle, told))
        return await told

    def fetch(self, keys: Sequence[ItemKey], done: Told) -> None:
        """As AnswerStore.fetch: what several ask for in one turn of the event loop goes out in one command.

        A long list goes in parts, one after the other; a store that fails is asked for no more of them.
        """
        if not keys:
            asyncio.get_running_loop().call_soon(done, [])
            return
        if len(keys) <= CHUNK:
            self._read(keys, partial(self._decoded, keys, done))
        else:
            self._read(keys[:CHUNK], partial(self._go_on, keys, [], done))

    def _go_on(self, keys: Sequence[ItemKey], found: list[Answer | None], done: Told, entries: Sequence[Any]) -> None:
        """A part of a long list has come."""
        start = len(found)
        found += _opened(keys[start : start + CHUNK], entries)
        rest = len(keys) - len(found)
        if rest and not _failed(entries):
            self._read(keys[len(found) : len(found) + CHUNK], partial(self._go_on, keys, found, done))
            return
        if _failed(entries):
            self._observer.store_failure(ROLE)
        done(found + [None] * rest)

    def _decoded(self, keys: Sequence[ItemKey], done: Told, entries: Sequence[Any]) -> None:
        """All that was asked for has come."""
        found = _opened(keys, entries)
        if not all(found) and _failed(entries):
            self._observer.store_failure(ROLE)
        elif self._owed:
            self._offer_again()
        done(found)

    def _read(self, keys: Sequence[ItemKey], entries: Entries) -> None:
        """What is stored under each key, StoreErrors among them; a node of a cluster that fails leaves the others'."""
        name, line = self._keys.answer, self._line
        if line.clustered:
            apart = _Apart(len(keys), entries)
            for at, key in enumerate(keys):
                line.send(("GET", name(key.address)), partial(apart.take, at))
            return
        gathered = self._gathered
        if gathered.turn != line.turn or len(gathered.command) + len(keys) > CHUNK + 1:
            gathered = self._gathered = _Gathered(line.turn)
            line.send(gathered.command, gathered.tell)
        gathered.command += [name(key.address) for key in keys]
        gathered.asked.append((len(keys), entries))

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """Remember answers; what the store does not take is offered once more when it answers again."""
        for start in range(0, len(entries), CHUNK):
            part = entries[start : start + CHUNK]
            if _failed(await self._line.queue_all([self._set(*entry) for entry in part])):
                self._not_taken(entries[start:])
                return

    def keep(self, entries: Sequence[tuple[ItemKey, Answer]]) -> bool:
        """As AnswerStore.keep; of what the store does not take as `put`."""
        if not self._line.in_order or len(entries) > FEW:
            return False
        if len(entries) == 1:
            self._line.send(self._set(*entries[0]), partial(self._kept, entries), ordered=True)
        else:
            told = self._line.queue_all([self._set(*entry) for entry in entries], ordered=True)
            told.add_done_callback(partial(self._all_kept, entries))
        return True

    def _kept(self, entries: Sequence[tuple[ItemKey, Answer]], reply: Any) -> None:  # noqa: ANN401 - only its failure matters
        if isinstance(reply, StoreError):
            self._not_taken(entries)

    def _all_kept(self, entries: Sequence[tuple[ItemKey, Answer]], told: asyncio.Future[list[Any]]) -> None:
        if _failed(told.result()):
            self._not_taken(entries)

    def _not_taken(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """They were paid for, and until they are stored whoever asks elsewhere waits for the claims on them."""
        self._observer.store_failure(ROLE)
        self._owed.add(entries, self._clock.monotonic())

    def _offer_again(self) -> None:
        """The store answers; what it does not take this time is dropped, and so is the claim on it."""
        entries = self._owed.take(self._clock.monotonic())
        for start in range(0, len(entries), CHUNK):
            part = entries[start : start + CHUNK]
            told = self._line.queue_all([self._set(*entry) for entry in part], ordered=True)
            told.add_done_callback(partial(self._given_up, [self._keys.answer(key.address) for key, _ in part]))

    def _given_up(self, names: Sequence[bytes], told: asyncio.Future[list[Any]]) -> None:
        refused = [name for name, reply in zip(names, told.result(), strict=True) if isinstance(reply, StoreError)]
        for name in refused:
            self._drop.start(self._line, (name,), (CLAIMED,), _nobody_asks)

    def _set(self, key: ItemKey, answer: Answer) -> Command:
        return ("SET", self._keys.answer(key.address), encode(key.proof, answer), "PX", self._lifetime_ms())

    def _lifetime_ms(self) -> int:
        return max(1, int(self._ttl * 1_000 * (1 + SPREAD * (2 * self._clock.random() - 1))))


def _opened(keys: Sequence[ItemKey], entries: Sequence[Any]) -> list[Answer | None]:
    """The answers in entries; None for what is none of this key's."""
    return [
        decode(key.proof, entry) if isinstance(entry, bytes) else None for key, entry in zip(keys, entries, strict=True)
    ]


def _nobody_asks() -> None:
    """A claim that is left ends by itself."""


def _failed(entries: Sequence[Any]) -> bool:
    return any(issubclass(kind, StoreError) for kind in set(map(type, entries)))


def _settle(told: asyncio.Future[list[Answer | None]], found: list[Answer | None]) -> None:
    """Tell who still waits."""
    if not told.done():
        told.set_result(found)
