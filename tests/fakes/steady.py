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
_CONNECTIONS = 256
"""What is due beyond these waits for one of them: the gateway may be quicker than the callers' own processor."""
_LOST, _REFUSED = 0, -1
"""Instead of a status: it was sent and got no answer; nobody accepted the connection, so nothing was sent."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call; times are monotonic seconds."""

    began: float
    ended: float
    status: int
    why: str = ""


@dataclass
class Result:
    """What came of calls, in the order of their ends."""

    calls: list[Called] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        """Answers."""
        return Counter(call.status for call in self.calls if call.status > 0)

    @property
    def lost(self) -> list[str]:
        """Why calls that were sent got no answer."""
        return [f"{call.why} after {call.ended - call.began:.2f} s" for call in self.calls if call.status == _LOST]

    @property
    def refused(self) -> int:
        """Connections that nobody accepted."""
        return sum(call.status == _REFUSED for call in self.calls)

    @property
    def p99(self) -> float:
        """Seconds; 0 without any answer."""
        seconds = sorted(call.ended - call.began for call in self.calls if call.status > 0)
        return seconds[int(len(seconds) * 0.99)] if seconds else 0.0

    def recovered(self, began: float, ended: float) -> float:
        """Seconds from the end of a fault to that of the last call that was not answered well since its begin."""
        bad = (call.ended - ended for call in self.calls if call.began >= began and call.status != 200)
        return max(0.0, max(bad, default=0.0))


class Steady:
    """Callers of one gateway."""

    def __init__(self, url: str, key: str, texts: Iterator[str]) -> None:
        self._url = url + PATH
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._texts = texts
        self.result = Result()

    async def maximum(self, seconds: float, callers: int = 16) -> float:
        """Calls a second when each caller sends as soon as it has its answer."""
        until = time.monotonic() + seconds
        before = len(self.result.calls)

        async def repeat(http: aiohttp.ClientSession) -> None:
            while time.monotonic() < until:
                await self._call(http)

        async with self._session() as http:
            await asyncio.gather(*(repeat(http) for _ in range(callers)))
        return (len(self.result.calls) - before) / seconds

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
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=_PATIENCE),
        )

    async def _call(self, http: aiohttp.ClientSession) -> None:
        body = orjson.dumps({"model": MODEL, "input": next(self._texts)})
        began = time.monotonic()
        status, why = _LOST, ""
        try:
            async with http.post(self._url, data=body, headers=self._headers) as answer:
                await answer.read()
                status = answer.status
        except aiohttp.ClientConnectorError:
            status = _REFUSED
        except (aiohttp.ClientError, TimeoutError) as error:
            why = type(error).__name__
        self.result.calls.append(Called(began, time.monotonic(), status, why))
