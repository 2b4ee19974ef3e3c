"""What merging small calls saves: upstream calls for 1,000 single-text calls at once, upstream of 20 ms.

What a miss costs beside other proxies is in measure.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import aiohttp
from performance import servers
from performance.servers import HEADERS
from performance.upstream import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from performance.programs import Program

SINGLES = 1_000
URL = "http://127.0.0.1:{port}/v1/embeddings"


def body_of(texts: list[str]) -> bytes:
    """A call for base64, the form that the upstream has."""
    return json.dumps({"model": "jina-embeddings-v3", "embedding_type": "base64", "input": texts}).encode()


@contextmanager
def stand_in(milliseconds: int) -> Iterator[Program]:
    """The upstream."""
    with (
        tempfile.TemporaryDirectory(prefix="gwu", dir="/tmp") as folder,
        upstream(Path(folder), milliseconds) as program,
    ):
        yield program


@contextmanager
def gateway(behind: Program, concurrency: int, *, batch: bool = False) -> Iterator[Program]:
    """One worker in front of the upstream; `batch`: small calls travel together."""
    config = servers.gateway_config(behind.port)
    config["backends"]["jina"] |= {"concurrency": concurrency, "batch": batch}
    with (
        tempfile.TemporaryDirectory(prefix="gwf", dir="/tmp") as folder,
        servers.gateway(Path(folder), behind, config=config, core=None) as server,
    ):
        yield server.program


def counted(behind: Program) -> tuple[int, int]:
    """Calls and inputs that the upstream has seen."""
    with urlopen(f"http://127.0.0.1:{behind.port}/count") as answer:
        calls, inputs = answer.read().split()
    return int(calls), int(inputs)


async def singles(port: int, count: int, mark: str) -> list[float]:
    """Seconds of each of so many calls at once, with a text each that nobody has sent before."""

    async def one(http: aiohttp.ClientSession, number: int) -> float:
        began = time.perf_counter()
        body = body_of([f"{mark} {number}"])
        async with http.post(URL.format(port=port), data=body, headers=HEADERS) as answer:
            await answer.read()
            assert answer.status == 200, answer.status  # noqa: PLR2004 - HTTP's OK
        return time.perf_counter() - began

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        return await asyncio.gather(*(one(http, number) for number in range(count)))


def merging() -> None:
    """Print how many calls the upstream got for many small ones."""
    with stand_in(20) as behind, gateway(behind, 64, batch=True) as ours:
        asyncio.run(singles(ours.port, 50, "warm"))
        before = counted(behind)
        began = time.perf_counter()
        times = asyncio.run(singles(ours.port, SINGLES, "single"))
        took = time.perf_counter() - began
        calls, inputs = (after - start for after, start in zip(counted(behind), before, strict=True))
    print(
        f"\n{SINGLES:,} single-text calls at once, upstream of 20 ms: {calls:,} upstream calls with {inputs:,} inputs"
    )
    print(f"all answered in {took:.2f} s, the slowest after {max(times):.2f} s", flush=True)


if __name__ == "__main__":
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    merging()
