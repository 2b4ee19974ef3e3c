from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psutil
from fakes.jina_upstream import KEY, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

CANARY = "canary-7f3c-of-the-input"
TENANT_KEY, WRONG_KEY, FORMER_KEY = ("jina_" + letter * 60 for letter in "twf")
SECRET = "a-secret-of-the-server-for-digests"
CONFIG = """
server: {{secret: "${{SERVER_SECRET}}", body_limit: 4096}}
backends: {{jina: {{dialect: jina, url: {url}, key: "${{JINA_API_KEY}}", retries: 0}}}}
tenants: {{search: {{tier: tier1, keys: ["${{TENANT_KEY}}"]}}}}
observe: {{log_sample: 1.0, log_level: debug}}
"""
MODEL = "jina-embeddings-v3"


async def traffic(gateway: Gateway) -> set[int]:
    """Calls of every kind that carry the canary: good, refused, broken, too large, failing upstream."""
    answers = [
        await gateway.embed(CANARY, model=MODEL),
        await gateway.embed([CANARY, {"text": CANARY}, CANARY], model=MODEL, task="retrieval.query"),
        await gateway.rerank(CANARY, [CANARY, "b"], model="jina-reranker-v3"),
        await gateway.rerank(CANARY, [CANARY, "b"], model="jina-reranker-m0"),
        await gateway.embed(CANARY, WRONG_KEY, MODEL),
        await gateway.embed(CANARY, f"{TENANT_KEY} {CANARY}", MODEL),
        await gateway.embed(CANARY, model=CANARY),
        await gateway.embed([[CANARY]], model=MODEL, task=CANARY, **{CANARY: CANARY}),
        await gateway.embed(CANARY * 1000, model=MODEL),
        await gateway.post("/v1/embeddings", f'{{"model": "{MODEL}", "input": "{CANARY}'.encode()),
        await gateway.post("/v1/embeddings", f'"\\ud800 {CANARY}"'.encode()),
        await gateway.post(f"/v1/{CANARY}?key={TENANT_KEY}", {}),
        await gateway.post("/v1/embeddings", {"input": CANARY}, Content_Type=f"text/{CANARY}"),
    ]
    return {answer.status for answer in answers}


def found(needles: set[str], root: Path) -> set[tuple[str, str]]:
    """Which of the needles are in which files."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        (needle, str(path.relative_to(root)))
        for path in files
        for needle in needles
        if needle.encode() in path.read_bytes()
    }


async def test_no_input_and_no_key_is_in_any_output_file_or_command_line(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str, tmp_path: Path
) -> None:
    env = {"TENANT_KEY": TENANT_KEY, "SERVER_SECRET": SECRET}
    config = CONFIG.format(url=upstream_url)
    gateway = await launch(config, key=TENANT_KEY, env=env, data=tmp_path / "data", workers=2)
    assert await traffic(gateway) == {200, 401, 400, 422, 413, 404, 415}
    upstream.faults.extend([Fault(500, CANARY.encode()), Fault(200, CANARY.encode()), Fault()])
    for number in range(3):
        answer = await gateway.embed(f"{CANARY} {number}", model=MODEL)
        assert answer.status == 503
    commands = [process.cmdline() for process in (psutil.Process(gateway.process.pid), *gateway.children())]
    await gateway.stop()

    secrets = {CANARY, KEY, TENANT_KEY, WRONG_KEY, SECRET}
    logged = gateway.logged()
    requests = [json.loads(line) for line in logged.splitlines() if '"request"' in line]
    assert len(requests) >= 16
    assert not {secret for secret in secrets if secret in gateway.said() + logged + str(commands)}
    assert (tmp_path / "data" / "store").exists()
    assert not found(secrets, tmp_path / "data")


async def test_the_developers_key_is_in_the_banner_and_its_file_alone(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str, tmp_path: Path
) -> None:
    del upstream
    config = (
        "observe: {log_sample: 1.0, log_level: debug}\n"
        f"backends: {{jina: {{dialect: jina, url: {upstream_url}, key: '${{JINA_API_KEY}}'}}}}"
    )
    gateway = await launch(config, data=tmp_path / "data")
    assert (await gateway.embed(CANARY, model=MODEL)).status == 200
    assert (await gateway.embed(CANARY, gateway.key[:-1], MODEL)).status == 401
    commands = [process.cmdline() for process in (psutil.Process(gateway.process.pid), *gateway.children())]
    await gateway.stop()
    assert gateway.said().count(gateway.key) == 2
    assert gateway.key[:-1] not in gateway.logged() + str(commands)
    assert found({gateway.key, CANARY, KEY}, tmp_path / "data") == {(gateway.key, "dev-key")}
