"""Answers N cached hits in this process, under callgrind, which counts what they take. By instructions.py only.

hot_path.py STORE_URL COUNTING_LIBRARY N
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
from pathlib import Path

import uvloop
from performance import cases
from performance.in_process import request_bytes, running
from performance.load import MARK

SLOWER = {"Cache-Control": "max-age=1000000"}
"""Keeps a hit off the way that calls take which came before: it goes through aiohttp and the whole pipeline."""

WARM = 20
"""Requests before: the first one is a miss, the next ones fill caches and leases."""


async def main(store_url: str, library: str, requests: int) -> None:
    """Warm up, count, end without ceremony."""
    counting = ctypes.CDLL(library)
    kinds = {
        "hit": [request_bytes(cases.ONE.body)] * requests,
        "form": [request_bytes(cases.UNLIKE.body.replace(MARK, str(10**6 + number))) for number in range(requests)],
        "pipeline": [request_bytes(cases.ONE.body, **SLOWER)] * requests,
    }
    with tempfile.TemporaryDirectory(prefix="gwi", dir="/tmp") as folder:
        async with running(Path(folder), store_url) as gateway:
            for sent in kinds.values():
                for _ in range(WARM):
                    answer = await gateway.ask(sent[0])
                assert b"X-Gateway-Cache-Hits: 1" in answer, answer[:1_000]
            gc.collect()
            gc.freeze()
            for name, sent in kinds.items():
                counting.begin()
                for request in sent:
                    await gateway.ask(request)
                counting.end(name.encode())


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
