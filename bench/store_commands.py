"""What a whole gateway asks of its store: idle by workers, and for inputs that are missing or stored.

`gateway serve` with the store that it starts, in front of a scripted upstream that answers at once. Commands are those
that clients send (what scripts call is theirs); CPU is the store's own. See docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.jina_upstream import KEY, Upstream  # noqa: E402 - after the path is set
from fakes.running_gateway import launched  # noqa: E402 - as above

from gateway.stores.redis.client import connect  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fakes.running_gateway import Gateway
    from redis.asyncio import Redis

MODEL, CALLER = "jina-embeddings-v3", "jina_" + "s" * 60
CONFIG = """
backends: {{jina: {{dialect: jina, url: "{url}", key: {key}}}}}
tiers: {{wide: {{rpm: 1000000, tpm: 1000000000, concurrency: 100}}}}
tenants: {{search: {{tier: wide, keys: [{caller}]}}}}
"""
SENT = ("get", "set", "mget", "evalsha", "info")
"""By name; scripts call `get` too, once for each claim that is let go of."""

IDLE_SECONDS, SINGLES, LISTS, LENGTH = 15.0, 300, 50, 20


@dataclass(frozen=True)
class Told:
    """What the store has done so far: commands by name, µs of CPU, bytes of memory."""

    calls: dict[str, int]
    cpu: float
    memory: int


async def told(store: Redis) -> Told:
    """Asks it."""
    everything = await store.info("everything")
    calls = {name: int(everything.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in SENT}
    run = Path(f"/proc/{everything['process_id']}/schedstat").read_text()  # noqa: ASYNC240 - a file of no disk
    return Told(calls, int(run.split()[0]) / 1_000, int(everything["used_memory"]))


def row(what: str, before: Told, after: Told, by: float) -> str:
    """A line of the table: what was done, divided."""
    counts = ", ".join(
        f"{name} {share:.2g}"
        for name in SENT
        if (share := (after.calls[name] - before.calls[name]) / by) > 0.05  # noqa: PLR2004 - rare
    )
    return f"| {what} | {counts} | {(after.cpu - before.cpu) / by:.0f} | {(after.memory - before.memory) / by:.0f} |"


async def idle(gateway: Gateway, workers: int) -> str:
    """A second of nothing."""
    store = connect(f"unix://{gateway.data_dir}/run/store.sock", 5.0)
    await asyncio.sleep(5)
    before = await told(store)
    await asyncio.sleep(IDLE_SECONDS)
    after = await told(store)
    await store.aclose()
    return row(f"a second, {workers} workers, idle", before, after, IDLE_SECONDS)


async def asked(gateway: Gateway, what: str, lists: Sequence[list[str]]) -> str:
    """Each list once, one after the other; by input, background included."""
    store = connect(f"unix://{gateway.data_dir}/run/store.sock", 5.0)
    before = await told(store)
    for texts in lists:
        assert (await gateway.embed(texts, model=MODEL)).status == web.HTTPOk.status_code
    after = await told(store)
    await store.aclose()
    return row(what, before, after, sum(map(len, lists)))


async def main() -> None:
    """Print the table."""
    runner = web.AppRunner(Upstream().application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = CONFIG.format(url="http://127.0.0.1:{1}".format(*runner.addresses[0]), key=KEY, caller=CALLER)
    print("| what | commands | store's CPU, µs | store's memory, bytes |\n| --- | --- | --- | --- |")
    async with launched(config, key=CALLER, workers=4) as gateway:
        print(await idle(gateway, 4), flush=True)
    async with launched(config, key=CALLER) as gateway:
        print(await idle(gateway, 1), flush=True)
        singles = [[f"alone {number}"] for number in range(SINGLES)]
        print(await asked(gateway, "a missing input, alone", singles), flush=True)
        lists = [[f"{first} {number}" for number in range(LENGTH)] for first in range(LISTS)]
        print(await asked(gateway, f"a missing input of a list of {LENGTH}", lists), flush=True)
        print(await asked(gateway, "an input in memory", singles), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
