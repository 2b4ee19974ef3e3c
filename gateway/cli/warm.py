"""E: sends embeddings calls to a running gateway, so that their answers are in its cache."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

AT_ONCE = 4
TRIES = 10
TIMEOUT = 300.0
"""Seconds one call may take."""

_WAIT = 1.0
_LONGEST_WAIT = 120.0


@dataclass(slots=True)
class Warmed:
    """What became of the lines: inputs that were stored already, inputs that were asked, lines that failed."""

    hits: int = 0
    misses: int = 0
    failed: int = 0


class Warmer:
    """Sends lines with one key; `say` gets a sentence about each that failed, never its content."""

    def __init__(
        self,
        url: str,
        key: str,
        say: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._url = url.rstrip("/") + "/v1/embeddings"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._say = say
        self._sleep = sleep

    async def run(self, lines: Iterator[bytes], done: Callable[[int], None]) -> Warmed:
        """Send every line, four at a time; empty ones are passed over. `done` is told of each."""
        totals = Warmed()
        numbered = enumerate(lines, 1)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:

            async def work() -> None:
                # The file is read a line ahead of its call; next() is quick, and nothing else runs on this loop.
                for number, line in numbered:
                    if line.strip():
                        problem = _unusable(line) or await self._send(session, line, totals)
                        if problem:
                            totals.failed += 1
                            self._say(f"line {number}: {problem}")
                        done(1)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return totals

    async def _send(self, session: aiohttp.ClientSession, line: bytes, totals: Warmed) -> str | None:
        """None when it went well, else what is wrong."""
        for _ in range(TRIES):
            try:
                async with session.post(
                    self._url, data=line.strip(), headers=self._headers, allow_redirects=False
                ) as reply:
                    body = await reply.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                return f"no answer ({type(error).__name__})"
            if reply.status == HTTPStatus.OK:
                totals.hits += _count(reply.headers.get("X-Gateway-Cache-Hits"))
                totals.misses += _count(reply.headers.get("X-Gateway-Cache-Misses"))
                return None
            if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
                return f"{reply.status} {_code(body)}".rstrip()
            await self._sleep(_wait(reply.headers.get("Retry-After")))
        return f"{HTTPStatus.TOO_MANY_REQUESTS} after {TRIES} tries"


def _unusable(line: bytes) -> str | None:
    try:
        body = json.loads(line)
    except ValueError:
        return "not JSON"
    if not isinstance(body, dict) or not {"model", "input"} <= body.keys():
        return "not an object with model and input"
    return None


def _wait(header: str | None) -> float:
    """Seconds to wait; at most two minutes, whatever is asked, and one where nothing usable is."""
    return min(float(header), _LONGEST_WAIT) if header and header.isdecimal() else _WAIT


def _count(header: str | None) -> int:
    return int(header) if header and header.isdecimal() else 0


def _code(body: bytes) -> str:
    """Our code of a failure; the sentence beside it may quote input."""
    try:
        code = json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code if isinstance(code, str) and code.replace("_", "").isalnum() else ""
