"""`gateway backends` against real sockets: one that cannot be asked for nothing, one that tells, one that is away."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING

from aiohttp import web
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment

if TYPE_CHECKING:
    from pathlib import Path


async def run(config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [*COMMAND, "backends", "--config", str(config), "--text", "a b", *more]
    return await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, timeout=PATIENCE, check=False, env=clean_environment()
    )


async def telling() -> web.AppRunner:
    """What a vLLM server answers to the routes that cost nothing."""

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "their-name", "max_model_len": 512}]})

    async def tokenize(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        assert asked == {"model": "their-name", "prompt": "a b"}
        return web.json_response({"count": 4, "max_model_len": 512, "tokens": [101, 1, 2, 102]})

    async def health(_: web.Request) -> web.Response:
        return web.Response()

    application = web.Application()
    application.add_routes([web.get("/v1/models", models), web.post("/tokenize", tokenize), web.get("/health", health)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


async def test_each_backend_says_how_it_is_and_what_it_takes(tmp_path: Path) -> None:
    runner = await telling()
    port = runner.addresses[0][1]
    config = tmp_path / "config.yaml"
    lines = [
        "backends:",
        "  hosted: {dialect: jina, url: 'http://user:s3cret@127.0.0.1:9', key: jina_s3cret}",
        f"  own: {{dialect: vllm, url: 'http://127.0.0.1:{port}'}}",
        "models: {m: {backend: own, backend_model: their-name, dimensions: 8}}",
    ]
    config.write_text("\n".join(lines))
    try:
        told = await run(config)
        assert told.returncode == 0, told.stderr
        assert "s3cret" not in told.stdout
        assert "not known: it has no route that costs nothing" in told.stdout
        assert "health  well" in told.stdout
        assert "their-name: 512 tokens an input, 4 tokens in 'a b'" in told.stdout
    finally:
        await runner.cleanup()
    away = await run(config, "--json")
    assert away.returncode == 1
    hosted, own = json.loads(away.stdout)["backends"]
    assert (hosted["name"], hosted["well"], own["name"], own["well"]) == ("hosted", True, "own", False)
    assert "cannot be reached" in own["health"]
    assert own["models"] == {"their-name": []}
    assert "s3cret" not in away.stdout
