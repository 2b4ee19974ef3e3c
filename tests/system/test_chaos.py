"""Everything fails while clients call and hang up; the upstream's and the clients' journals say what was kept.

GATEWAY_CHAOS_SECONDS makes it longer (from 120 on with a store that is away for more than a minute),
GATEWAY_CHAOS_SEED repeats one run's choices (not its timing). Nobody is killed in the minute before the store is
emptied: what only the dead knew is then known to nobody. A worker and the store may be killed together, since a store
that is killed alone has nearly always written what it answered.

| bar | mutant that breaks it |
| --- | --- |
| no true minute above rpm or tpm | fallback.py: a share for everybody at once; lease.py: nothing told again |
| never more at the upstream than slots | fallback.py as above |
| all slots are free a lease later | holds.lua: a dead holder's slots stay in the sum |
| every answer once in the ledger | settle/ledger.py: nothing inherited |

What chance shows too seldom is shown for sure in tests/contract/test_quota_outages.py and tests/unit/leasing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from fakes.havoc import Havoc
from fakes.running_gateway import clean_environment, launched, until
from fakes.witness import ANSWERS, Clients, Witness, admitted, worst_minute, worst_window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

SECONDS = float(os.environ.get("GATEWAY_CHAOS_SECONDS", "11"))
SEED = int(os.environ.get("GATEWAY_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
LONG = 120.0
"""A run of so many seconds has a store that is away for more than a minute."""

WORKERS = 3
LEASE_SECONDS = 3
RPM, TPM, SLOTS = 150, 2_500, 5
CONFIG = f"""
backends: {{{{jina: {{{{dialect: jina, url: {{url}}, key: k, retries: 0, concurrency: 200}}}}}}}}
server: {{{{timeout: 20}}}}
limits: {{{{lease_seconds: {LEASE_SECONDS}}}}}
store: {{{{timeout: 0.3}}}}
tiers:
  requests: {{{{rpm: {RPM}}}}}
  tokens: {{{{tpm: {TPM}}}}}
  slots: {{{{concurrency: {SLOTS}}}}}
  closed: {{{{rpm: 1000000, when_store_fails: closed}}}}
tenants:
  requests: {{{{tier: requests, keys: [key-of-requests]}}}}
  tokens: {{{{tier: tokens, keys: [key-of-tokens]}}}}
  slots: {{{{tier: slots, keys: [key-of-slots]}}}}
  closed: {{{{tier: closed, keys: [key-of-closed]}}}}
"""


@dataclass
class Scene:
    """A gateway, who calls it, who is called, and who disturbs it."""

    gateway: Gateway
    witness: Witness
    clients: dict[str, Clients]
    havoc: Havoc
    chance: random.Random

    async def decided(self) -> None:
        """The store decides again: who is refused without it is answered, whichever worker is asked."""
        closed = self.clients["closed"]

        async def check() -> bool:
            answers = [(await closed.call("closed probe")).status for _ in range(2 * WORKERS)]
            return set(answers) == {200}

        await until(check)

    async def disturb(self, *, emptied: bool) -> None:
        """One thing after the other, all of them at least once if there is time."""
        deadline = time.monotonic() + SECONDS
        await asyncio.sleep(1.5)  # the limits are not reached yet: who dies now takes something along
        await self.havoc.next(self.havoc.empty_store if emptied else self.havoc.kill_worker)
        await self.decided()
        if SECONDS >= LONG:
            await self.havoc.next(self.havoc.absent_store)
            await self.decided()
        while time.monotonic() < deadline:
            turn = self.havoc.all
            self.chance.shuffle(turn)
            for what in turn:
                if time.monotonic() < deadline:
                    await self.havoc.next(what)
                    await self.decided()
                    await asyncio.sleep(self.chance.uniform(0, 0.5))

    async def play(self, *, emptied: bool) -> None:
        """Everybody calls until the disturbances are over, and a little longer."""
        over = asyncio.ensure_future(self.disturb(emptied=emptied))
        until_then = time.monotonic() + SECONDS + 1
        callers = [self.clients[name].run(8, until_then) for name in ("requests", "tokens", "slots")]
        await asyncio.gather(over, *callers)

    async def all_slots(self) -> bool:
        """Whether all slots can be used at once, and no more."""
        slots = self.clients["slots"]
        slots.hang_ups = 0
        self.witness.gate = asyncio.Event()
        running = [asyncio.ensure_future(slots.call(f"slots together {at}")) for at in range(SLOTS)]
        try:
            await until(lambda: _all(self.witness.running["slots"] == SLOTS or any(each.done() for each in running)))
            one_more = await slots.call("slots one more")
        finally:
            self.witness.gate.set()
            self.witness.gate = None
        told = await asyncio.gather(*running)
        return [each.status for each in told] == [200] * SLOTS and one_more.status == 429

    async def ledger(self) -> dict[str, dict[str, Any]]:
        """What `gateway usage` says, by tenant."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "usage", "--by", "tenant", "--format", "json"),
            *("--data-dir", str(self.gateway.data_dir)),
            stdout=asyncio.subprocess.PIPE,
            env=clean_environment(),
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return {row["tenant"]: row for row in json.loads(output)["rows"]}

    async def booked(self) -> bool:
        """Whether the ledger has every answer once: calls whose end nobody saw may be there, too, but once."""
        rows = await self.ledger()
        return all(_within(clients, rows.get(name, {})) for name, clients in self.clients.items())


def _within(clients: Clients, row: dict[str, Any]) -> bool:
    requests, tokens = row.get("requests", 0), row.get("tokens", 0)
    sure, unsure = clients.answered, clients.unsure
    words = [len(told.text.split()) for told in unsure]
    least = sum(told.tokens for told in sure)
    return bool(len(sure) <= requests <= len(sure) + len(unsure) and least <= tokens <= least + sum(words))


async def _all(holds: bool) -> bool:  # noqa: FBT001 - the answer of a check
    return holds


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    chance = random.Random(SEED)  # noqa: S311 - to be repeated, not to be secret
    witness = Witness(chance, {"slots": 0.6})
    runner = web.AppRunner(witness.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = CONFIG.format(url="http://127.0.0.1:{1}".format(*runner.addresses[0]))
    try:
        async with launched(config, workers=WORKERS, key="unused") as gateway:
            clients = {name: Clients(gateway, name, chance) for name in ("requests", "tokens", "slots", "closed")}
            clients["tokens"].longest = 30
            clients["requests"].hang_ups = clients["closed"].hang_ups = 0
            yield Scene(gateway, witness, clients, Havoc(gateway, WORKERS, chance), chance)
    finally:
        await runner.cleanup()


def over_admitted(scene: Scene) -> list[str]:
    """What went beyond a limit."""
    requests, _ = worst_window(admitted(scene.clients["requests"], scene.witness))
    _, tokens = worst_window(admitted(scene.clients["tokens"], scene.witness))
    found = {"rpm": (requests, RPM), "tpm": (tokens, TPM), "slots": (scene.witness.most_running["slots"], SLOTS)}
    print({name: f"{seen}/{limit}" for name, (seen, limit) in found.items()}, scene.witness.peaked)
    print("worst minute of tokens", worst_minute(admitted(scene.clients["tokens"], scene.witness)))
    return [f"{name}: {seen} of {limit}" for name, (seen, limit) in found.items() if seen > limit]


@pytest.mark.parametrize("emptied", [False, True], ids=["store keeps its data", "store loses its data"])
async def test_nothing_is_over_admitted_leaked_lost_or_doubled(*, emptied: bool) -> None:
    print(f"GATEWAY_CHAOS_SEED={SEED}")
    async with scene() as played:
        await played.play(emptied=emptied)
        print(" ".join(played.havoc.log))
        assert over_admitted(played) == []
        for name, clients in played.clients.items():
            statuses = {told.status for told in clients.calls if told.status}
            assert statuses <= ANSWERS, name
            assert 200 in statuses
        if not emptied:  # a store that lost its data lost its ledger, too
            await until(played.booked, 0.3)
        await asyncio.sleep(LEASE_SECONDS + 1)
        assert await played.all_slots()
        if not emptied:  # the last calls are in the ledger a second later; what is in it twice stays so
            await until(played.booked, 0.3)
