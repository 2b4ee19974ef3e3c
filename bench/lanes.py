"""What a bulk job costs interactive calls: their p99 alone, and beside a job with `x-gateway-lane: bulk`.

The job keeps the backend's 8 places full; where the backend is quick, the processors, too. See fan_out.py.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import time
from itertools import count

import aiohttp
from fan_out import URL, body_of, counted, gateway, singles, stand_in
from performance.servers import HEADERS

PLACES = 8
BULK_CONNECTIONS, BULK_TEXTS = 32, 32
PACE_SECONDS, PACED_SECONDS = 0.02, 20.0


def gap(milliseconds: int) -> float:
    """Seconds between interactive calls, so that they take about one of the backend's places."""
    return max(PACE_SECONDS, milliseconds / 1_000)


async def paced(port: int, mark: str, seconds: float) -> list[float]:
    """Milliseconds of interactive calls that come at a fixed pace, whatever becomes of those before."""
    times: list[float] = []

    async def one(http: aiohttp.ClientSession, number: int) -> None:
        began = time.perf_counter()
        body = body_of([f"{mark} {number}"])
        async with http.post(URL.format(port=port), data=body, headers=HEADERS) as answer:
            await answer.read()
        times.append((time.perf_counter() - began) * 1_000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        calls = []
        for number in range(int(PACED_SECONDS / seconds)):
            calls.append(asyncio.create_task(one(http, number)))
            await asyncio.sleep(seconds)
        await asyncio.gather(*calls)
    return times


async def bulk(port: int) -> None:
    """A job that sends lists as fast as it is answered, for ever: a process of its own, lest it slow what is timed."""
    lists = count()

    async def one(http: aiohttp.ClientSession, client: int) -> None:
        while True:
            mark = next(lists)
            texts = [f"bulk {client} {mark} {number}" for number in range(BULK_TEXTS)]
            headers = HEADERS | {"x-gateway-lane": "bulk", "Cache-Control": "no-store"}
            async with http.post(URL.format(port=port), data=body_of(texts), headers=headers) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(one(http, client) for client in range(BULK_CONNECTIONS)))


def lanes() -> None:
    """Print p99 of interactive calls alone, under a bulk job that fills a slow backend, and one that fills the machine.

    In the latter case generators, upstream and gateway share the cores. What that alone costs is seen in calls that go
    straight to the upstream meanwhile, past the gateway.
    """
    for milliseconds in (200, 20):
        _lanes(milliseconds)


def _lanes(milliseconds: int) -> None:
    with stand_in(milliseconds) as upstream, gateway(upstream, PLACES) as ours:
        asyncio.run(singles(ours.port, 50, "warm"))
        alone = asyncio.run(paced(ours.port, "alone", gap(milliseconds)))
        before = counted(upstream)[1]
        job = subprocess.Popen([sys.executable, __file__, "bulk", str(ours.port)])
        try:
            time.sleep(1)
            beside = asyncio.run(paced(ours.port, "beside", gap(milliseconds)))
            lists = (counted(upstream)[1] - before) // BULK_TEXTS
            past = asyncio.run(paced(upstream.port, "past", gap(milliseconds)))
        finally:
            job.kill()
            job.wait()
    pace = f"{1 / gap(milliseconds):.0f} interactive calls a second, upstream of {milliseconds} ms, {PLACES} places"
    print(f"\n{pace}; bulk: {lists} lists of {BULK_TEXTS}")
    named = (("alone", alone), ("under bulk", beside), ("under bulk, straight to the upstream", past))
    for name, times in named:
        cuts = statistics.quantiles(times, n=100)
        print(f"{name}: median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
    ratio = statistics.quantiles(beside, n=100)[98] / statistics.quantiles(alone, n=100)[98]
    print(f"p99 under bulk : alone = {ratio:.2f}", flush=True)


def main() -> None:
    """Measure and print; `bulk PORT` is the job."""
    if sys.argv[1:2] == ["bulk"]:
        asyncio.run(bulk(int(sys.argv[2])))
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    lanes()


if __name__ == "__main__":
    main()
