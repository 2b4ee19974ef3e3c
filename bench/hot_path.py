"""Answers N requests of each kind in this process, under callgrind, which counts. By instructions.py only.

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


AT_ONCE = 16
"""Calls of one moment."""


def missing(first: int, count: int) -> list[bytes]:
    """Requests for texts that nobody asked for before."""
    return [request_bytes(cases.NEW.body.replace(MARK, str(10**6 + first + number))) for number in range(count)]


async def from_the_store(store_url: str, counting: ctypes.CDLL, requests: int) -> None:
    """Hits of one moment where nothing is held in the process."""
    with tempfile.TemporaryDirectory(prefix="gwi", dir="/tmp") as folder:
        async with running(Path(folder), store_url, AT_ONCE, cache={"memory": 0}) as gateway:
            sent = missing(0, AT_ONCE)
            for _ in range(WARM):
                answers = await gateway.ask_all(sent)
            assert all(b"X-Gateway-Cache-Hits: 1" in answer for answer in answers), answers[0][:1_000]
            gc.collect()
            counting.begin()
            for _ in range(requests // AT_ONCE):
                await gateway.ask_all(sent)
            counting.end(b"stored")


async def main(store_url: str, library: str, requests: int) -> None:
    """Warm up, count, end without ceremony."""
    counting = ctypes.CDLL(library)
    one, slower = request_bytes(cases.ONE.body), request_bytes(cases.ONE.body, **SLOWER)
    unlike = [request_bytes(cases.UNLIKE.body.replace(MARK, str(10**6 + number))) for number in range(requests)]
    groups = requests // AT_ONCE
    kinds = {
        "hit": [[one]] * requests,
        "form": [[request] for request in unlike],
        "pipeline": [[slower]] * requests,
        "miss": [[request] for request in missing(0, requests)],
        "misses": [missing((1 + group) * requests, AT_ONCE) for group in range(groups)],
    }
    with tempfile.TemporaryDirectory(prefix="gwi", dir="/tmp") as folder:
        async with running(Path(folder), store_url, AT_ONCE) as gateway:
            for sent in ([one], [unlike[0]], [slower]):
                for _ in range(WARM):
                    (answer,) = await gateway.ask_all(sent)
                assert b"X-Gateway-Cache-Hits: 1" in answer, answer[:1_000]
            gc.collect()
            gc.freeze()
            for name, every in kinds.items():
                if name == "miss":  # not before: what was held then would be weighed while hits are counted
                    for turn in range(WARM):
                        await gateway.ask_all(missing(-(1 + turn) * AT_ONCE, AT_ONCE))
                    gc.collect()
                counting.begin()
                for sent in every:
                    await (gateway.ask(sent[0]) if len(sent) == 1 else gateway.ask_all(sent))
                counting.end(name.encode())
    await from_the_store(store_url, counting, requests)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
