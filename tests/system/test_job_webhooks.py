"""E: messages to an address that a client named, by a real gateway, whoever put them into its store."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from aiohttp import web
from fakes.running_gateway import clean_environment, launched, until
from standardwebhooks import Webhook

from gateway.clock import SystemClock
from gateway.notify.job_events import JobEventNotices
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.notices import RedisNotices
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
fetch: {networks: [127.0.0.1/32]}
tenants: {shop: {keys: [key-of-the-shop]}}
"""
DATA = b'{"batch_id":"batch_1","status":"completed"}'


async def posted(socket: Path, url: str) -> None:
    """What the engine does when a batch has ended; another worker may have done so, too."""
    client = connect(f"unix://{socket}", 5.0)
    line = Line(client, TaskGroup(), 5.0)
    for _ in range(2):
        events = JobEventNotices(RedisNotices(line, Keys("gw"), of_jobs=True), SystemClock())
        await events.posted("shop", url, "batch.completed", DATA)
    await client.aclose()


async def test_a_client_is_told_once_and_can_verify_it() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=500 if len(got) == 1 else 204)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://127.0.0.1:{1}/hook".format(*runner.addresses[0])
    async with launched(CONFIG, workers=2, key="key-of-the-shop") as gateway:
        await posted(gateway.data_dir / "run" / "store.sock", url)

        async def delivered() -> bool:
            metrics = (await gateway.get("/metrics")).body
            return b'gateway_job_webhook_notices_total{outcome="delivered"} 1.0' in metrics

        await until(delivered)
        answer = await gateway.get("/v1/webhook-secret", Authorization="Bearer key-of-the-shop")
        command = [sys.executable, "-m", "gateway", "webhooks", "secret", "--tenant", "shop"]
        command += ["--data-dir", str(gateway.data_dir)]
        shown = await asyncio.to_thread(subprocess.check_output, command, env=clean_environment())
        assert shown.decode().strip() == answer.json["secret"]
        assert b"whsec" not in (gateway.said() + gateway.logged()).encode()
    await runner.cleanup()
    assert len(got) == 2
    assert {headers["webhook-id"] for headers, _ in got} == {got[0][0]["webhook-id"]}
    for headers, body in got:
        assert Webhook(answer.json["secret"]).verify(body, headers)["data"]["batch_id"] == "batch_1"
