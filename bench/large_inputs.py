"""How long a call with large inline images keeps the event loop from others: the longest turn, in CPU time.

python bench/large_inputs.py [megabytes of an image] [images of a call]

The pipeline runs with the tests' fakes in place of store and upstream. CPU time of the whole process, because a machine
that does other things would be measured along otherwise; what a second thread does meanwhile is in it, so the loop
itself stood still for less.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import orjson
import pybase64
from fakes import gateway as fakes

from gateway.config.schema import Tier
from gateway.ports import RawReply

if TYPE_CHECKING:
    from gateway.ports import Exchange

MODEL = "jina-clip-v2"
ROUNDS = 7
MEGABYTE = 1_048_576


@dataclass
class Blind:
    """An upstream that reads nothing."""

    images: int = 1

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        """A vector for each image."""
        del backend, exchange, timeout_seconds
        vector = pybase64.b64encode_as_string(b"\0\0\x80?" * 1_024)
        data = [{"index": at, "embedding": vector} for at in range(self.images)]
        return RawReply(200, {}, orjson.dumps({"model": MODEL, "data": data, "usage": {"total_tokens": 5}}))


@dataclass
class Turns:
    """The longest turn of the loop so far."""

    longest: float = 0.0

    async def watch(self) -> None:
        """For ever."""
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            self.longest, last = max(self.longest, now - last), now


async def measured(gateway: fakes.Gateway, body: bytes) -> float:
    """Seconds."""
    turns = Turns()
    watching = asyncio.create_task(turns.watch())
    await gateway.ask("embeddings", body)
    watching.cancel()
    return turns.longest


async def main(megabytes: int, images: int) -> None:
    """Print the figures."""
    unlimited = Tier(rpm=10**9, tpm=10**9, concurrency=10**6)
    with patch("fakes.gateway.Upstream", lambda: Blind(images)):
        gateway = fakes.Gateway(fakes.configured(tiers={"small": unlimited}))
    longest = []
    for _ in range(ROUNDS):
        picture = [pybase64.b64encode_as_string(os.urandom(megabytes * MEGABYTE)) for _ in range(images)]
        body = orjson.dumps({"model": MODEL, "input": [{"image": coded} for coded in picture]})
        longest.append(1_000 * await measured(gateway, body))
    size = len(body) / 1e6
    print(f"{images} of {megabytes} MB (a body of {size:.1f} MB): median {statistics.median(longest):.1f} ms, "
          f"best {min(longest):.1f} ms")  # fmt: skip


if __name__ == "__main__":
    given = [int(value) for value in sys.argv[1:]]
    asyncio.run(main(*given, *(8, 1)[len(given) :]))
