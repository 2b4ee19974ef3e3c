"""E: the state in a store, copied out of it and put back: tenants, keys, ledger, jobs, classifiers, the secret."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from gateway.stores.redis.archive import FOR_EVER, Kept, is_state, tag
from gateway.stores.redis.client import ask_all, store_errors
from gateway.stores.redis.cluster import Cluster
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from gateway.stores.redis.client import Client
    from gateway.stores.redis.cluster import Command

LISTED = 500
TOGETHER = 500
"""Keys that one script reads at one moment."""

WRITTEN = 64


class Backup:
    """The state under one prefix. Every method raises StoreError; `moved` is told how many keys more are done.

    Keys that share a tag, as all of one tenant's ledger, are read at one moment (the first 500 of them at least);
    those of different tags are not, while gateways serve.
    """

    def __init__(self, client: Client, prefix: str, moved: Callable[[int], None] = lambda _: None) -> None:
        self._client = client
        self._prefix = f"{prefix}:"
        self._moved = moved
        self._script = Script("dump")

    async def now_ms(self) -> int:
        """The store's clock."""
        if isinstance(self._client, Cluster):
            await self._names()
            moment = (await self._ask([("TIME",)], self._client.get_primaries()[0]))[0]
        else:
            moment = (await self._ask([("TIME",)]))[0]
        return int(moment[0]) * 1_000 + int(moment[1]) // 1_000

    async def records(self) -> AsyncIterator[list[Kept]]:
        """All that is state."""
        groups = defaultdict[str, list[str]](list)
        for name in await self._names():
            groups[tag(name)].append(name)
        for names in groups.values():
            for start in range(0, len(names), TOGETHER):
                yield await self._read(sorted(names)[start : start + TOGETHER])

    async def there(self) -> int:
        """How many keys of state are in the store already."""
        return len(await self._names())

    async def write(self, records: Sequence[Kept], passed_ms: int) -> int:
        """Put keys back, over what has their names; `passed_ms` since they were read. How many live still."""
        alive = [kept for kept in records if kept.life_ms == FOR_EVER or kept.life_ms > passed_ms]
        for start in range(0, len(alive), WRITTEN):
            chunk = alive[start : start + WRITTEN]
            lives = [0 if kept.life_ms == FOR_EVER else kept.life_ms - passed_ms for kept in chunk]
            await self._ask(
                [
                    ("RESTORE", self._prefix + kept.name, life, kept.value, "REPLACE")
                    for kept, life in zip(chunk, lives, strict=True)
                ]
            )
            self._moved(len(chunk))
        return len(alive)

    async def _read(self, names: Sequence[str]) -> list[Kept]:
        keys = [self._prefix + name for name in names]
        held = (await self._ask([("EVAL", self._script.text, len(keys), *keys)]))[0]
        self._moved(len(names))
        return [
            Kept(name, int(life_ms), value)
            for name, life_ms, value in zip(names, held[::2], held[1::2], strict=True)
            if value is not None
        ]

    async def _names(self) -> set[str]:
        found: set[str] = set()
        nodes: Sequence[Any] = [None]
        if isinstance(self._client, Cluster):
            with store_errors():
                await self._client.initialize()
            nodes = self._client.get_primaries()
        for node in nodes:
            cursor: bytes | int = b"0"
            while True:
                scan = ("SCAN", cursor, "MATCH", f"{self._prefix}*", "COUNT", LISTED)
                [[cursor, names]] = await self._ask([scan], node)
                plain = (name.decode("utf-8", "replace").removeprefix(self._prefix) for name in names)
                found.update(name for name in plain if is_state(name))
                if int(cursor) == 0:
                    break
        return found

    async def _ask(self, commands: Sequence[Command], node: Any = None) -> list[Any]:  # noqa: ANN401 - redis-py's node
        with store_errors():
            replies = await ask_all(self._client, commands, node)
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies
