"""What limits cost the store: commands a second, its CPU and its network, by workers and by meters that are in use.

Some workers of one process on the embedded Valkey, each with leases of its own, which tell the store as those of a
gateway do. First idle, then with ten calls a second of each of METERS meters. docs/architecture.md reckons with it.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from admissions import LIMITS, running_store
from fakes.admitting_process import standing

from gateway.stores.redis.client import connect
from gateway.vocabulary import Meter, Scope

if TYPE_CHECKING:
    import psutil

    from gateway.leasing.leases import Leases

WORKERS, METERS, SECONDS, PAUSE = 8, 10, 15.0, 0.1


@dataclass(frozen=True)
class Load:
    """Of one worker in a second: statements (EVALSHA), all commands, µs of the store's CPU, bytes in and out."""

    scripts: float
    commands: float
    cpu: float
    bytes: float

    def less(self, other: Load) -> Load:
        """What one has more than another, for each of METERS."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Load(*((mine - theirs) / METERS for mine, theirs in pairs))

    def row(self, what: str) -> str:
        """For the table."""
        return f"| {what} | {self.scripts:.1f} | {self.commands:.1f} | {self.cpu:.0f} | {self.bytes:.0f} |"


async def load(workers: list[Leases], store: psutil.Process, url: str, meters: tuple[Meter, ...]) -> Load:
    """What the store bears while every worker admits calls of each meter."""
    client = connect(url, 5.0)

    async def told() -> tuple[float, float, float, float]:
        stats, net = await client.info("commandstats"), await client.info("stats")
        calls = {name: float(entry["calls"]) for name, entry in stats.items()}
        asked = ("evalsha", "info", "eval", "script|load", "zrem", "exists")
        scripts, whole = calls.get("cmdstat_evalsha", 0.0), sum(calls.get(f"cmdstat_{name}", 0.0) for name in asked)
        bytes_ = float(net["total_net_input_bytes"] + net["total_net_output_bytes"])
        return scripts, whole, _cpu(store), bytes_

    before, loop = await told(), asyncio.get_running_loop()
    until = loop.time() + SECONDS
    while loop.time() < until:
        for leases in workers:
            for meter in meters:
                for taken in await leases.take([(leases.of(meter), 1, 3, 1)]):
                    leases.settle(taken, 1, 3)
        await asyncio.sleep(PAUSE)
    spent, after = loop.time() - until + SECONDS, await told()
    await client.aclose()
    return Load(*((late - early) / (spent * len(workers)) for late, early in zip(after, before, strict=True)))


def _cpu(store: psutil.Process) -> float:
    """Microseconds so far, of its one busy thread; cpu_times has hundredths of a second only."""
    return int(Path(f"/proc/{store.pid}/schedstat").read_text().split()[0]) / 1_000


async def measure(url: str, store: psutil.Process) -> None:
    """Print the table."""
    meters = tuple(Meter(f"t:{number}", Scope.TENANT, LIMITS) for number in range(METERS))
    async with AsyncExitStack() as stack:
        workers = [(await stack.enter_async_context(standing(url)))[1] for _ in range(WORKERS)]
        idle = await load(workers, store, url, ())
        await load(workers, store, url, meters)  # warms up: the leases are there
        busy = await load(workers, store, url, meters)
    print("| a second | statements | commands | store's CPU, µs | bytes |\n| --- | --- | --- | --- | --- |")
    print(idle.row("a worker"))
    print(busy.less(idle).row("a meter that a worker uses all the time"))


if __name__ == "__main__":
    with running_store() as running:
        uvloop.run(measure(*running))
