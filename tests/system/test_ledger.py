from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from fakes.jina_upstream import KEY, tokens_of
from fakes.running_gateway import launched, until

from gateway.clock import SystemClock
from gateway.errors import StoreError
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.usage import RedisLedger
from gateway.tasks import TaskGroup
from gateway.vocabulary import Tally, dollars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tenants: {{paying: {{tier: tier2, keys: [key-of-paying], prices: {{jina-embeddings-v3: "0.000000003"}}}}}}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def pair(upstream_url: str) -> AsyncIterator[Gateway]:
    """Two workers; each test has its own, for it kills them."""
    config = CONFIG.format(url=upstream_url, key=KEY)
    async with launched(config, workers=2, key="key-of-paying") as gateway:
        yield gateway


class Client:
    """Sends calls, and keeps account of what it was told."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.told: Counter[str] = Counter()
        self._number = 0

    async def burst(self, calls: int) -> None:
        await asyncio.gather(*(self._call() for _ in range(calls)))

    async def _call(self) -> None:
        self._number += 1
        number = self._number
        answer = await self.gateway.embed([f"text {number}", "one that all send", "x " * (number % 9)], model=MODEL)
        if answer.status == 200:
            self.told.update(requests=1, tokens=answer.json["usage"]["total_tokens"])


async def ledger(gateway: Gateway) -> Tally:
    """All that the store has."""
    client = connect(f"unix://{gateway.data_dir}/run/store.sock", 5.0)
    tasks = TaskGroup()
    rows = await RedisLedger(Line(client, tasks, 5.0), Keys("gw"), 400, SystemClock()).rows("paying", 0, 10**9)
    await tasks.drain(5.0)
    await client.aclose()
    total = Tally()
    for account, tally in rows:
        assert (account.model, account.endpoint) == (MODEL, "embeddings")
        total = total.plus(tally)
    return total


async def reported(gateway: Gateway) -> dict[str, Any]:
    """What `GET /v1/usage` says."""
    answer = await gateway.get("/v1/usage?since=1h", Authorization="Bearer key-of-paying")
    content: dict[str, Any] = answer.json
    return content


async def agrees(gateway: Gateway, client: Client, upstream: Upstream) -> bool:
    try:
        total = await ledger(gateway)
    except StoreError:
        return False
    paid = sum(tokens_of(entry) for entry in upstream.inputs)
    assert total.requests <= client.told["requests"]
    return total == Tally(
        client.told["requests"],
        client.told["tokens"],
        paid,
        3 * paid,
        client.told["tokens"] - paid,
        3 * (client.told["tokens"] - paid),
    )


async def settled(gateway: Gateway, client: Client, upstream: Upstream) -> None:
    """The ledger comes to say what the client and the upstream say, and stays with it."""
    await until(lambda: agrees(gateway, client, upstream))
    await asyncio.sleep(1.5)  # a flush later nothing has been added
    assert await agrees(gateway, client, upstream)
    totals = (await reported(gateway))["totals"]
    assert totals["requests"] == client.told["requests"]
    assert totals["cost_usd"] == dollars(3 * totals["upstream_tokens"])


async def test_what_killed_workers_had_counted_is_in_the_ledger(pair: Gateway, upstream: Upstream) -> None:
    client = Client(pair)
    for turn in range(3):
        await client.burst(40)
        os.kill(pair.pid(f"worker-{turn % 2}"), signal.SIGKILL)
        await until(lambda: alive(pair))
    await client.burst(5)
    await settled(pair, client, upstream)
    assert client.told["requests"] == 125


async def test_a_killed_store_and_its_killed_workers_lose_nothing(pair: Gateway, upstream: Upstream) -> None:
    client = Client(pair)
    await client.burst(40)
    os.kill(pair.pid("store"), signal.SIGKILL)
    for worker in range(2):
        os.kill(pair.pid(f"worker-{worker}"), signal.SIGKILL)
    await until(lambda: alive(pair))
    await client.burst(20)
    await until(lambda: agrees(pair, client, upstream))
    os.kill(pair.pid("store"), signal.SIGKILL)  # with what it was told within the last second
    await until(lambda: alive(pair))
    await settled(pair, client, upstream)


async def test_what_a_stopped_gateway_had_counted_is_there_when_it_starts_again(
    pair: Gateway, upstream: Upstream, upstream_url: str
) -> None:
    client = Client(pair)
    await client.burst(30)
    pair.process.kill()
    await asyncio.to_thread(pair.process.wait)
    config = CONFIG.format(url=upstream_url, key=KEY)
    async with launched(config, workers=1, data=pair.data_dir, key="key-of-paying") as again:
        await settled(again, client, upstream)

        async def tidy() -> bool:
            return len(list((again.data_dir / "ledger").iterdir())) == 1

        await until(tidy)


async def alive(gateway: Gateway) -> bool:
    """The store answers, and so do all workers: a new process may still be starting."""
    try:
        answers: list[Any] = await asyncio.gather(*(gateway.get("/ready") for _ in range(6)))
    except OSError:
        return False
    return all(answer.status == 200 for answer in answers)
