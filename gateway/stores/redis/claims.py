"""E: claims in Redis (ports.Claims): a claim stands where its answer will, until that is stored."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.stores.redis.entry import CLAIMED, decode
from gateway.stores.redis.many import unfailed
from gateway.stores.redis.scripts import Script
from gateway.turns import MANY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.cluster import Command
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Answer, ItemKey

MS = 1_000
MOST_OWED = 1_024
"""Claims, or groups of them, that are given back again; older ones end by themselves."""

AT_ONCE = 64
"""Claims in one run of a script: it holds the server up for less than 0.1 ms."""


class RedisClaims:
    """Who computes what, across all processes on one store. No command touches two keys, so a cluster will do.

    What a store that was away did not hear of being given back is given back again when it answers the next claim:
    it may have kept the claim, and whoever asks for the same elsewhere would wait until that ends by itself.
    """

    def __init__(self, line: Line, keys: Keys, seconds: float) -> None:
        self._line = line
        self._keys = keys
        self._ms = int(seconds * MS)
        self._extend = Script("claim_extend")
        self._end = Script("claim_end")
        self._replace = Script("claim_replace")
        self._owed: deque[tuple[Sequence[bytes], bytes]] = deque(maxlen=MOST_OWED)

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        """For each key: the stored answer, True when the claim is ours now, False when it is another's.

        One command sets the claim where nothing is, and tells what there is. Raises StoreError.
        """
        if len(keys) > MANY:
            return [claim for part in _parts(keys) for claim in await self.claim(part, token)]
        if not keys:
            return []
        names, mark = self._names(keys), _mark(token)
        claims: list[Command] = [("SET", name, mark, "NX", "GET", "PX", self._ms) for name in names]
        entries = unfailed(await self._line.queue_all(claims, ordered=True))
        for _ in range(len(self._owed)):
            self._give_back(*self._owed.popleft())
        outcome = [_outcome(key, entry, mark) for key, entry in zip(keys, entries, strict=True)]
        unread = [at for at, found in enumerate(outcome) if found is False and not entries[at].startswith(CLAIMED)]
        for at in unread:
            ours = await self._replace.run(self._line, (names[at],), (mark, self._ms, entries[at]))
            outcome[at] = bool(ours)
        return outcome

    async def renew(self, keys: Sequence[ItemKey], token: str) -> None:
        """Keep what is still ours for another claim time. Raises StoreError."""
        await self._extend.run_each(self._line, self._grouped(keys), (_mark(token), self._ms))

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        """Give back what is still ours. Raises StoreError."""
        several, mark = self._grouped(keys), _mark(token)
        try:
            await self._end.run_each(self._line, several, (mark,))
        except StoreError:
            self._owed.extend((names, mark) for names in several)
            raise

    def let_go(self, keys: Sequence[ItemKey], token: str) -> bool:
        """As Claims.let_go."""
        if not self._line.in_order or len(keys) > MANY:
            return False
        for names in self._grouped(keys):
            self._give_back(names, _mark(token))
        return True

    def _give_back(self, names: Sequence[bytes], mark: bytes) -> None:
        self._end.start(self._line, names, (mark,), partial(self._owed.append, (names, mark)))

    def _names(self, keys: Sequence[ItemKey]) -> list[bytes]:
        return [self._keys.answer(key.address) for key in keys]

    def _grouped(self, keys: Sequence[ItemKey]) -> list[list[bytes]]:
        """Claims by the script's run: on a cluster each by itself, as it may be on a server of its own."""
        names = self._names(keys)
        step = 1 if self._line.clustered else AT_ONCE
        return [names[start : start + step] for start in range(0, len(names), step)]


def _mark(token: str) -> bytes:
    """What stands in the place of an answer."""
    return CLAIMED + token.encode()


def _outcome(key: ItemKey, entry: bytes | None, mark: bytes) -> Answer | bool:
    """What came of a claim, by what stood there before; of another proof's or a damaged entry False, too."""
    if entry is None or entry == mark:
        return True
    answer = None if entry.startswith(CLAIMED) else decode(key.proof, entry)
    return answer if answer is not None else False


def _parts(keys: Sequence[ItemKey]) -> Iterator[Sequence[ItemKey]]:
    """So many that asking is one short turn of the event loop."""
    for start in range(0, len(keys), MANY):
        yield keys[start : start + MANY]
