"""E: a tenant crosses a share of its budget, and a real receiver is told, whatever fails on the way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import pytest_asyncio
from aiohttp import web
from fakes.jina_upstream import KEY
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
SECRET = "a-webhook-secret-of-some-length"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
webhooks: [{{url: "{receiver}", secret: {secret}}}]
tenants:
  paying:
    tier: tier2
    keys: [key-of-paying]
    prices: {{jina-embeddings-v3: "0.01"}}
    budgets: [{{usd: "1", per: fixed, soft: [0.8], hard: false}}]
"""


@dataclass
class Receiver:
    """Answers 500 so many times, then 204; keeps what came."""

    failures: int = 2
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        self.failures -= 1
        return web.Response(status=500 if self.failures >= 0 else 204, body=b"x" * 1_000_000)

    @property
    def verified(self) -> list[str]:
        """The ids of all that came, whose signatures must be right."""
        ids = []
        for headers, body in self.got:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            digest = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
            assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
            ids.append(headers["webhook-id"])
        return ids

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_post("/notices", self.take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://127.0.0.1:{1}/notices".format(*runner.addresses[0])
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def pair(upstream: Upstream, upstream_url: str) -> AsyncIterator[tuple[Gateway, Receiver]]:
    """Two workers, and the receiver that they know."""
    del upstream
    receiver = Receiver()
    async with receiver.listening() as url:
        config = CONFIG.format(url=upstream_url, key=KEY, receiver=url, secret=SECRET)
        async with launched(config, workers=2, key="key-of-paying") as gateway:
            yield gateway, receiver


async def spend(gateway: Gateway, tokens: int, word: str) -> int:
    """Calls side by side until at least so many tokens were paid; how many."""
    paid, number = 0, 0
    while paid < tokens:
        number += 2
        texts = [f"{word} {number}", f"{word} {number + 1}"]
        answers = await asyncio.gather(*(gateway.embed([text], model=MODEL) for text in texts))
        paid += sum(answer.json["usage"]["total_tokens"] for answer in answers)
    return paid


async def counted(gateway: Gateway, name: str, labels: str) -> float:
    metrics = (await gateway.get("/metrics")).body.decode()
    found = re.search(rf"^gateway_{name}_total{{{re.escape(labels)}}} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_a_share_is_told_once_signed_and_again_until_it_is_taken(pair: tuple[Gateway, Receiver]) -> None:
    gateway, receiver = pair
    paid = await spend(gateway, 80, "a")
    assert paid < 100

    async def delivered() -> bool:
        return await counted(gateway, "webhook_notices", 'outcome="delivered"') == 1

    await until(delivered)
    paid += await spend(gateway, 1, "b")
    await asyncio.sleep(3.0)  # looks and rounds later nothing has been added
    assert len(set(receiver.verified)) == 1
    assert len(receiver.got) == 3
    assert len({body for _, body in receiver.got}) == 1
    assert b"key-of-paying" not in receiver.got[0][1]
    said: dict[str, Any] = orjson.loads(receiver.got[0][1])
    assert said["type"] == "budget.threshold"
    used = float(said["data"].pop("used"))
    assert 0.8 <= used <= paid / 100
    assert said["data"] == {
        "tenant": "paying",
        "meter": "fixed",
        "period_start": None,
        "unit": "usd",
        "limit": "1",
        "share": 0.8,
    }
    assert await counted(gateway, "webhook_notices", 'outcome="retried"') == 2
    share = 'meter="fixed",share="0.8",tenant="paying"'
    assert await counted(gateway, "spending_thresholds", share) == 1


async def test_the_death_of_both_workers_loses_nothing(pair: tuple[Gateway, Receiver]) -> None:
    gateway, receiver = pair
    await spend(gateway, 80, "c")

    async def retried() -> bool:
        return await counted(gateway, "webhook_notices", 'outcome="retried"') == 2

    await until(retried)
    for worker in range(2):
        os.kill(gateway.pid(f"worker-{worker}"), signal.SIGKILL)

    async def taken() -> bool:
        return len(receiver.got) == 3

    await until(taken)
    assert len(set(receiver.verified)) == 1
