"""E: what lies in the cache: listed, summed, removed, copied; in batches, so that the server stays free for others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from gateway.stores.redis.client import ask_all, store_errors
from gateway.stores.redis.cluster import Cluster
from gateway.stores.redis.entry import CLAIMED
from gateway.stores.redis.header import HEADER_BYTES, Described
from gateway.stores.redis.header import describe as describe_header
from gateway.stores.redis.sources import marked
from gateway.stores.redis.transfer import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from typing import Any

    from redis.asyncio.cluster import ClusterNode

    from gateway.stores.redis.client import Client
    from gateway.stores.redis.cluster import Command
    from gateway.stores.redis.keys import Keys

LISTED = 500
"""Names looked at in one step of SCAN."""

COPIED = 64
"""Whole entries in one round trip."""


@dataclass(slots=True)
class Share:
    """What the entries of one model amount to."""

    entries: int = 0
    bytes: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Stats:
    """What the cache holds: by model's tag (None: the entry does not name it).

    Bytes are of names and values, without the store's own overhead; `oldest` and `newest` in seconds since 1970, None
    when no entry knows its time. `foreign` are names of ours that hold no entry of this version.
    """

    models: dict[bytes | None, Share] = field(default_factory=lambda: defaultdict(Share))
    oldest: int | None = None
    newest: int | None = None
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries are meant: all that fit every condition that is given."""

    model: bytes | None = None
    tenant: bytes | None = None
    before: int | None = None

    def fits(self, entry: Described | None) -> bool:
        """Whether an entry is meant.

        One of unknown age counts as old. One that cannot be read, or does not say its origin, fits no condition.
        """
        if self == Choice():
            return True
        if entry is None:
            return False
        if self.before is not None and entry.made >= self.before:
            return False
        return self.model in {None, entry.model} and self.tenant in {None, entry.tenant}

    def asks_more_than(self, entry: Described) -> bool:
        """Whether an entry does not say what is asked."""
        return (self.model is not None and entry.model is None) or (self.tenant is not None and entry.tenant is None)


@dataclass(slots=True)
class Purged:
    """Entries removed, and entries kept because they do not say the origin that was asked for."""

    entries: int = 0
    unnamed: int = 0


class Inventory:
    """The cache entries under one prefix. Every method raises StoreError; SCAN may list a name twice or miss a new one.

    `describe` reads a header; `moved` is told how many entries more were looked at.
    """

    def __init__(
        self,
        client: Client,
        keys: Keys,
        moved: Callable[[int], None] = lambda _: None,
        describe: Callable[[bytes], Described | None] = describe_header,
    ) -> None:
        self._client = client
        self._keys = keys
        self._moved = moved
        self._describe = describe

    async def stats(self) -> Stats:
        """What the cache holds."""
        stats = Stats()
        async for names in self._names():
            headers = await self._headers(names)
            sizes = await self._batch([("STRLEN", name) for name in headers])
            for (name, entry), size in zip(headers.items(), sizes, strict=True):
                if entry is None:
                    stats.foreign += 1
                    continue
                share = stats.models[entry.model]
                share.entries += 1
                share.bytes += len(name) + int(size)
                share.tokens += entry.tokens
                if entry.made:
                    stats.oldest = min(stats.oldest or entry.made, entry.made)
                    stats.newest = max(stats.newest or entry.made, entry.made)
        return stats

    async def purge(self, choice: Choice) -> Purged:
        """Remove what is meant."""
        purged = Purged()
        async for names in self._names():
            headers = await self._headers(names)
            meant = [name for name, entry in headers.items() if choice.fits(entry)]
            purged.entries += sum(map(int, await self._batch([("UNLINK", name) for name in meant])))
            purged.unnamed += sum(choice.asks_more_than(entry) for entry in headers.values() if entry is not None)
        return purged

    async def records(self) -> AsyncIterator[list[Record]]:
        """Every entry with what is left of its life, some at a time."""
        skipped = len(self._keys.answer(b""))
        async for names in self._names():
            for start in range(0, len(names), COPIED):
                chunk = names[start : start + COPIED]
                entries = await self._batch([("GET", name) for name in chunk])
                lives = await self._batch([("PTTL", name) for name in chunk])
                yield [
                    Record(name[skipped:], life, entry)
                    for name, life, entry in zip(chunk, lives, entries, strict=True)
                    if isinstance(entry, bytes) and life > 0 and not entry.startswith(CLAIMED)
                ]

    async def restore(self, records: Sequence[Record]) -> int:
        """Write what is not there yet; how many were written. Others may follow from them: entries do not say."""
        answer = self._keys.answer
        await self._batch(marked(self._keys, max([record.life_ms for record in records], default=1)))
        replies = await self._batch(
            [("SET", answer(record.address), record.entry, "NX", "PX", record.life_ms) for record in records]
        )
        self._moved(len(records))
        return sum(map(bool, replies))

    async def _names(self) -> AsyncIterator[list[bytes]]:
        for node in await self._nodes():
            cursor: bytes | int = b"0"
            while True:
                scan = ("SCAN", cursor, "MATCH", self._keys.answer(b"*"), "COUNT", LISTED)
                [[cursor, names]] = await self._batch([scan], node)
                if names:
                    yield names
                    self._moved(len(names))
                if int(cursor) == 0:
                    break

    async def _nodes(self) -> Sequence[ClusterNode | None]:
        """Who has names: a cluster's primaries, or the one server there is."""
        if not isinstance(self._client, Cluster):
            return [None]
        with store_errors():
            await self._client.initialize()
        return self._client.get_primaries()

    async def _headers(self, names: Sequence[bytes]) -> dict[bytes, Described | None]:
        """What each entry says of itself; None for another type, another version, or what has gone meanwhile.

        Where an answer is being computed there is none yet.
        """
        found = await self._batch([("GETRANGE", name, 0, HEADER_BYTES - 1) for name in names])
        return {
            name: self._describe(prefix) if isinstance(prefix, bytes) else None
            for name, prefix in zip(names, found, strict=True)
            if not (isinstance(prefix, bytes) and prefix.startswith(CLAIMED))
        }

    async def _batch(self, commands: Sequence[Command], node: ClusterNode | None = None) -> list[Any]:
        """The replies to commands that go out together; None where a name holds something of another type."""
        replies: list[Any] = []
        if not commands:
            return replies
        with store_errors():
            for reply in await ask_all(self._client, commands, node):
                foreign = isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE")
                if isinstance(reply, Exception) and not foreign:
                    raise reply
                replies.append(None if foreign else reply)
        return replies
