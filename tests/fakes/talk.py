"""E: calls as bytes on a connection to a gateway on fakes."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from fakes.gateway import SEARCH_KEY, configured
from fakes.served import serving

from gateway.config.schema import Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.config.schema import Config

ONE = {"model": "jina-embeddings-v3", "input": "a"}
LIST = {"model": "jina-embeddings-v3", "input": ["a", "b", "a"], "dimensions": 64}
RANK = {"model": "jina-reranker-v2-base-multilingual", "query": "q", "documents": ["a", "b"], "top_n": 1}
MEANWHILE = 0.1


def wire(body: Any, key: str = SEARCH_KEY, path: str = "/v1/embeddings", more: str = "") -> bytes:
    """A call as bytes."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    more += f"Authorization: Bearer {key}\r\nContent-Length: {len(content)}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: g\r\n{more}\r\n".encode() + content


class Talk:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        length = fields.get("Content-Length")
        body = await self.chunks() if length is None else await self.reader.readexactly(int(length))
        return int(first.split()[1]), fields, body

    async def chunks(self) -> bytes:
        """A body that is sent in pieces (RFC 9112, 7.1)."""
        found: list[bytes] = []
        while size := int(await self.reader.readline(), 16):
            found.append(await self.reader.readexactly(size))
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return b"".join(found)

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        await self.send(request)
        return await self.answer()


@asynccontextmanager
async def talking(config: Config, *, fast: bool = True) -> AsyncIterator[tuple[Any, Talk]]:
    async with serving(config, fast=fast) as served:
        reader, writer = await asyncio.open_connection(*served.address)
        try:
            yield served, Talk(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()


def generous(**changes: Any) -> Config:
    tiers = {"small": Tier(rpm=1_000, tpm=100_000, concurrency=4)}
    return configured(tiers=tiers, **changes)


def taken(served: Any) -> int:
    """Calls that took the pipeline's way."""
    return len(served.gateway.counted)


async def warm(served: Any, line: Talk, body: Any = ONE) -> int:
    """Ask until the fast path knows it; calls that the pipeline had so far."""
    for _ in range(3):
        assert (await line.ask(wire(body)))[0] == 200
    assert taken(served) == 1
    return taken(served)


def comparable(answer: tuple[int, dict[str, str], bytes]) -> Any:
    status, fields, body = answer
    return status, sorted((name, value) for name, value in fields.items() if name != "Date"), body


def figures(served: Any) -> list[str]:
    """Metrics but times and stages, which fewer calls go through."""
    text = served.metrics.render()[0].decode()
    lines = [line for line in text.splitlines() if "_seconds" not in line or "request_seconds_count" in line]
    return [re.sub(r" [0-9][0-9.]*(e-[0-9]+)?$", lambda match: f" {float(match[0]):.9g}", line) for line in lines]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)
