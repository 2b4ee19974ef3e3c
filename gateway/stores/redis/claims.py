"""E: claims in Redis (ports.Claims): one key a claim, which holds its owner's token and ends by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.client import replies_to
from gateway.stores.redis.entry import decode
from gateway.stores.redis.scripts import Script
from gateway.turns import MANY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.cluster import Command
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Answer, ItemKey

MS = 1_000


class RedisClaims:
    """Who computes what, across all processes on one store. No command touches two keys, so a cluster will do."""

    def __init__(self, line: Line, keys: Keys, seconds: float) -> None:
        self._line = line
        self._keys = keys
        self._ms = int(seconds * MS)
        self._extend = Script("claim_extend")
        self._end = Script("claim_end")

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        """For each key: the stored answer, True when the claim is ours now, False when it is another's.

        The entry is read after the claim was tried: whoever held it before has stored its answer before letting go.
        Raises StoreError.
        """
        if len(keys) > MANY:
            return [claim for part in _parts(keys) for claim in await self.claim(part, token)]
        if not keys:
            return []
        line = self._line
        tries: list[Command] = [("SET", self._keys.claim(key.address), token, "NX", "PX", self._ms) for key in keys]
        looks: list[Command] = [("GET", self._keys.answer(key.address)) for key in keys]
        if line.in_order:
            replies = await _done_in_order(line, [*tries, *looks])
        else:
            replies = await replies_to([line.queue(*each) for each in tries])
            replies += await replies_to([line.queue(*each) for each in looks])
        granted, stored = replies[: len(keys)], replies[len(keys) :]
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
        for part in _parts(keys):
            names = [self._keys.claim(key.address) for key in part]
            await asyncio.gather(*(self._extend.run(self._line, (name,), (token, self._ms)) for name in names))

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        """Give back what is still ours. Raises StoreError."""
        for part in _parts(keys):
            names = [self._keys.claim(key.address) for key in part]
            if len(names) == 1:  # by itself without a task of its own
                await self._end.run(self._line, (names[0],), (token,))
            else:
                await asyncio.gather(*(self._end.run(self._line, (name,), (token,)) for name in names))

    def let_go(self, keys: Sequence[ItemKey], token: str) -> bool:
        """As Claims.let_go."""
        if not self._line.in_order or len(keys) > MANY:
            return False
        for key in keys:
            self._end.start(self._line, (self._keys.claim(key.address),), (token,))
        return True


async def _done_in_order(line: Line, commands: Sequence[Command]) -> list[Any]:
    """The replies, by one future for all of them, as they come in order, too. Raises the first StoreError."""
    replies: list[Any] = []
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def last(reply: object) -> None:
        replies.append(reply)
        if not told.done():
            told.set_result(None)

    for command in commands[:-1]:
        line.send(command, replies.append, ordered=True)
    line.send(commands[-1], last, ordered=True)
    await told
    for reply in replies:
        if isinstance(reply, StoreError):
            raise reply
    return replies


def _parts(keys: Sequence[ItemKey]) -> Iterator[Sequence[ItemKey]]:
    """So many that asking is one short turn of the event loop."""
    for start in range(0, len(keys), MANY):
        yield keys[start : start + MANY]
