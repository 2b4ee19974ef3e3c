"""Admissions a second and CPU µs of each: spent from leases, and with round trips, by how many meters a call counts in.

One process on the embedded Valkey's unix socket. An admission is what the pipeline does: take a request and a slot,
cover the tokens, settle. `take and settle` is one look and one settlement without the reservation around them. Without
leases there are so many workers that nobody may hold anything idle; the calls then run AT_ONCE at a time.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.admitting_process import standing  # noqa: E402 - after the path is set

from gateway.processes.embedded_store import find_binary  # noqa: E402 - as above
from gateway.stores.redis.quota import RedisQuota  # noqa: E402 - as above
from gateway.vocabulary import Charge, Facts, Limits, Meter, Scope  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from gateway.admit.reservation import Admission
    from gateway.leasing.leases import Leases
    from gateway.ports import Census

ROUNDS = 3
LEASED, TRIPS = 100_000, 6_000
AT_ONCE = 32
TURN = 100
TOKENS = 3
LIMITS = Limits(100_000_000, 1_000_000_000, 10_000)


class Crowded(RedisQuota):
    """More workers than any limit has units: half a share is nothing."""

    async def register(self, worker: str, seconds: float, predecessor: str = "") -> Census:
        """The census, with a crowd that is not there."""
        return (await super().register(worker, seconds, predecessor))._replace(workers=10**9)


@dataclass(frozen=True)
class Cost:
    """Of one admission: µs by the wall, of this process's CPU, of the store's."""

    wall: float
    cpu: float
    store: float

    @property
    def columns(self) -> str:
        """As the table has them."""
        return f"{1e6 / self.wall:,.0f} | {self.cpu:.1f} | {self.store:.2f}"


async def admit(admission: Admission, meters: tuple[Meter, ...], calls: int) -> None:
    """So many calls, one after the other; now and then the loop does something else, too."""
    for number in range(calls):
        if number % TURN == 0:
            await asyncio.sleep(0)
        async with admission.reserve(meters, Facts("embeddings", "r")) as reservation:
            await reservation.cover(TOKENS)
            reservation.record(Charge(TOKENS, TOKENS), TOKENS)


async def alone(leases: Leases, meters: tuple[Meter, ...], calls: int) -> None:
    """Take and settle only."""
    for number in range(calls):
        if number % TURN == 0:
            await asyncio.sleep(0)
        wants = [(leases.of(meter), 1, TOKENS, 1) for meter in meters]
        for taken in leases.taken_at_once(wants) or await leases.take(wants):
            leases.settle(taken, 1, TOKENS)


async def cost(store: psutil.Process, calls: int, start: Callable[[int], list[Coroutine[None, None, None]]]) -> Cost:
    """The best of some rounds, each of so many calls after a few that warm up."""
    found = []
    for _ in range(ROUNDS):
        await asyncio.gather(*start(AT_ONCE))
        wall, cpu, theirs = time.perf_counter(), time.process_time(), sum(store.cpu_times()[:2])
        await asyncio.gather(*start(calls))
        spent = time.perf_counter() - wall, time.process_time() - cpu, sum(store.cpu_times()[:2]) - theirs
        found.append(Cost(*(seconds / calls * 1e6 for seconds in spent)))
    return min(found, key=lambda each: each.cpu)


async def measure(url: str, store: psutil.Process) -> None:
    """Print the table."""
    print("| meters | take and settle: CPU µs | leased: admissions/s | CPU µs | store's CPU µs ", end="")
    print("| not leased: admissions/s | CPU µs | store's CPU µs | CPU, leased : not |")
    print(f"{'| --- ' * 9}|")
    for number in (1, 2, 5):
        meters = tuple(Meter(f"{number}-{at}", Scope.KEY if at else Scope.TENANT, LIMITS) for at in range(number))
        async with standing(url) as (admission, leases):
            bare = await cost(store, LEASED, lambda calls: [alone(leases, meters, calls)])  # noqa: B023 - runs at once
            leased = await cost(store, LEASED, lambda calls: [admit(admission, meters, calls)])  # noqa: B023 - as above
        async with standing(url, Crowded) as (admission, _):
            trips = await cost(
                store,
                TRIPS,
                lambda calls: [admit(admission, meters, calls // AT_ONCE) for _ in range(AT_ONCE)],  # noqa: B023 - as above
            )
        ratio = trips.cpu / leased.cpu
        print(f"| {number} | {bare.cpu:.1f} | {leased.columns} | {trips.columns} | 1 : {ratio:.0f} |", flush=True)


@contextmanager
def running_store() -> Iterator[tuple[str, psutil.Process]]:
    """The Valkey that the gateway would start."""
    with tempfile.TemporaryDirectory(prefix="gwa", dir="/tmp") as folder:
        options = ["--port", "0", "--unixsocket", f"{folder}/s", "--dir", folder, "--save", ""]
        process = subprocess.Popen([find_binary({}).path, *options], stdout=subprocess.DEVNULL)
        while not (Path(folder) / "s").exists():
            time.sleep(0.01)
        try:
            yield f"unix://{folder}/s", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    with running_store() as running:
        uvloop.run(measure(*running))
