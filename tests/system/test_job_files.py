"""E: a job whose input and files are in object storage, and whose end its client is told, by two workers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from fakes.object_storage import BUCKET, S3_ENVIRONMENT, running_s3
from fakes.running_gateway import MODEL, launched, until
from standardwebhooks import Webhook

from gateway.stores.objects import filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
fetch: {{networks: [127.0.0.1/32]}}
tenants: {{shop: {{keys: [key-of-the-shop]}}}}
jobs: {{files: "s3://{bucket}/own", inputs: ["s3://{bucket}/in/"], s3_endpoint: "{endpoint}", chunk: 2}}
"""
AUTH = {"Authorization": "Bearer key-of-the-shop"}
LINES = [{"custom_id": f"r{at}", "body": {"input": f"text {at}"}} for at in range(5)]


@pytest.fixture
def endpoint() -> Iterator[str]:
    with running_s3() as url:
        yield url


async def test_storage_holds_all_and_the_client_is_told(endpoint: str) -> None:
    told: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = "http://127.0.0.1:{1}/hook".format(*runner.addresses[0])
    storage = filesystem("s3", endpoint)
    content = "\r\n".join(json.dumps(line) for line in LINES) + "\r\nno JSON\r\n"
    await asyncio.to_thread(storage.pipe_file, f"{BUCKET}/in/lines.jsonl", content.encode())
    await asyncio.to_thread(storage.pipe_file, f"{BUCKET}/other/lines.jsonl", content.encode())
    config = CONFIG.format(bucket=BUCKET, endpoint=endpoint)
    async with launched(config, workers=2, key="key-of-the-shop", env=S3_ENVIRONMENT) as gateway:
        for place, word in (("other", "in no bucket"), ("own", "in no bucket"), ("in/../other", "names no object")):
            asked = {"model": MODEL, "input_url": f"s3://{BUCKET}/{place}/lines.jsonl"}
            refused = await gateway.post("/v1/batch/embeddings", asked)
            assert refused.failure == (422, "INPUT_INVALID")
            assert word in refused.body.decode()
        asked = {"model": MODEL, "input_url": f"s3://{BUCKET}/in/lines.jsonl", "webhook_url": hook}
        made = await gateway.post("/v1/batch/embeddings", asked)
        assert made.status == 200, made.body

        async def heard() -> bool:
            return bool(told)

        await until(heard)
        name = made.json["batch_id"]
        secret = (await gateway.get("/v1/webhook-secret", **AUTH)).json["secret"]
        said = Webhook(secret).verify(told[0][1], told[0][0])
        assert said["type"] == "batch.completed"
        assert said["data"]["stats"] == {"total": 6, "completed": 5, "failed": 1, "total_tokens": 20}
        assert said["data"]["batch_id"] == name
        output = await gateway.get(f"/v1/batch/{name}/output", **AUTH)
        assert sorted(json.loads(line)["custom_id"] for line in output.body.splitlines()) == [
            f"r{at}" for at in range(5)
        ]
        signed = (await gateway.get(f"/v1/batch/{name}", **AUTH)).json["output_url"].removeprefix(gateway.url)
        assert (await gateway.get(signed)).body == output.body
        kept = await asyncio.to_thread(storage.find, f"{BUCKET}/own")
        assert any(path.startswith(f"{BUCKET}/own/batches/{name}/output/") for path in kept)
        assert not (gateway.data_dir / "jobs").exists()
    await runner.cleanup()
