"""E: callers who send at a steady rate over connections that they keep, and who never try again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = "jina-embeddings-v3"
PATH = "/v1/embeddings"
_PATIENCE = 30.0


@dataclass
class Result:
    """What came of calls: answers by status, what never got one, and the seconds each took, in order of its start."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    tokens: int = 0
    good_at: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """Seconds; 0 without any answer."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] if self.seconds else 0.0


class Steady:
    """Callers of one gateway. `refused` are connections that nobody accepted: nothing was sent there."""

    def __init__(self, url: str, key: str, texts: Iterator[str], result: Result | None = None) -> None:
        self._url = url + PATH
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._texts = texts
        self.result = result or Result()

    async def maximum(self, seconds: float, callers: int = 16) -> float:
        """Calls a second when each caller sends as soon as it has its answer."""
        until = time.monotonic() + seconds
        before = len(self.result.seconds)

        async def repeat(http: aiohttp.ClientSession) -> None:
            while time.monotonic() < until:
                await self._call(http)

        async with self._session() as http:
            await asyncio.gather(*(repeat(http) for _ in range(callers)))
        return (len(self.result.seconds) - before) / seconds

    async def run(self, rate: float, until: Callable[[], bool]) -> Result:
        """So many calls a second, whatever becomes of them, until it is enough; then wait for the last answer."""
        calls: list[asyncio.Task[None]] = []
        async with self._session() as http:
            began = time.monotonic()
            while not until():
                due = int((time.monotonic() - began) * rate) - len(calls)
                calls += [asyncio.create_task(self._call(http)) for _ in range(due)]
                await asyncio.sleep(1 / rate)
            await asyncio.gather(*calls)
        return self.result

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=_PATIENCE),
        )

    async def _call(self, http: aiohttp.ClientSession) -> None:
        body = orjson.dumps({"model": MODEL, "input": next(self._texts)})
        began = time.monotonic()
        try:
            async with http.post(self._url, data=body, headers=self._headers) as answer:
                content = await answer.read()
        except aiohttp.ClientConnectorError:
            self.result.refused += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.result.lost.append(f"{type(error).__name__} after {time.monotonic() - began:.2f} s")
        else:
            self.result.statuses[answer.status] += 1
            self.result.seconds.append(time.monotonic() - began)
            if answer.status == 200:
                self.result.good_at.append(time.monotonic())
                self.result.tokens += orjson.loads(content)["usage"]["total_tokens"]
