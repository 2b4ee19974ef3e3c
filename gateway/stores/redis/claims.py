"""E: claims in Redis (ports.Claims): one key a claim, which holds its owner's token and ends by itself."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.entry import decode
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
        self._owed: deque[tuple[Sequence[bytes], str]] = deque(maxlen=MOST_OWED)

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        """For each key: the stored answer, True when the claim is ours now, False when it is another's.

        The entry is read after the claim was tried: whoever held it before has stored its answer before letting go.
        Raises StoreError.
        """
        if len(keys) > MANY:
            return [claim for part in _parts(keys) for claim in await self.claim(part, token)]
        if not keys:
            return []
        claims: list[Command] = [("SET", self._keys.claim(key.address), token, "NX", "PX", self._ms) for key in keys]
        names = [self._keys.answer(key.address) for key in keys]
        ask, stored = self._line.queue_all, list[Any]()
        if self._line.in_order:  # so on one server, too
            granted = list(unfailed(await ask([*claims, ("MGET", *names)], ordered=True)))
            stored = granted.pop()
        else:
            granted = list(unfailed(await ask(claims)))
            stored = list(unfailed(await ask([("GET", name) for name in names])))
        for _ in range(len(self._owed)):
            self._give_back(*self._owed.popleft())
        outcome: list[Answer | bool] = []
        for key, ours, entry in zip(keys, granted, stored, strict=True):
            answer = decode(key.proof, entry) if isinstance(entry, bytes) else None
            outcome.append(answer if answer is not None else bool(ours))
        needless = [key for key, ours, got in zip(keys, granted, outcome, strict=True) if ours and got is not True]
        if needless:
            await self.release(needless, token)
        return outcome

    async def renew(self, keys: Sequence[ItemKey], token: str) -> None:
        """Keep what is still ours for another claim time. Raises StoreError."""
        await self._extend.run_each(self._line, self._grouped(keys), (token, self._ms))

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        """Give back what is still ours. Raises StoreError."""
        several = self._grouped(keys)
        try:
            await self._end.run_each(self._line, several, (token,))
        except StoreError:
            self._owed.extend((names, token) for names in several)
            raise

    def _grouped(self, keys: Sequence[ItemKey]) -> list[list[bytes]]:
        """Claims by the script's run: on a cluster each by itself, as it may be on a server of its own."""
        names = [self._keys.claim(key.address) for key in keys]
        step = 1 if self._line.clustered else AT_ONCE
        return [names[start : start + step] for start in range(0, len(names), step)]

    def let_go(self, keys: Sequence[ItemKey], token: str) -> bool:
        """As Claims.let_go."""
        if not self._line.in_order or len(keys) > MANY:
            return False
        for names in self._grouped(keys):
            self._give_back(names, token)
        return True

    def _give_back(self, names: Sequence[bytes], token: str) -> None:
        self._end.start(self._line, names, (token,), partial(self._owed.append, (names, token)))


def _parts(keys: Sequence[ItemKey]) -> Iterator[Sequence[ItemKey]]:
    """So many that asking is one short turn of the event loop."""
    for start in range(0, len(keys), MANY):
        yield keys[start : start + MANY]
