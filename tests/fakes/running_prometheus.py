"""A real Prometheus with the rules of grafana/, at a pace for tests."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from fakes.running_gateway import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

GRAFANA = Path(__file__).resolve().parents[2] / "grafana"


def binary(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on PATH (apt-get install prometheus)")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        async with self._http.get(f"{self.url}/api/v1/{path}", params=params) as answer:
            body: dict[str, Any] = await answer.json()
            assert body["status"] == "success", (params, body)
            return body["data"]  # type: ignore[no-any-return]

    async def ask(self, query: str) -> list[Any]:
        return (await self.get("query", query=query))["result"]  # type: ignore[no-any-return]


@asynccontextmanager
async def scraping(gateway: Gateway, folder: Path, *features: str) -> AsyncIterator[Prometheus]:
    """A Prometheus with our example configuration and rules, at a pace for tests; `features` are switched on."""
    settings = yaml.safe_load((GRAFANA / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    settings["rule_files"] = [str(GRAFANA / name) for name in settings["rule_files"]]
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [gateway.url.removeprefix("http://")]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    options += [f"--enable-feature={feature}" for feature in features]
    with (folder / "log").open("wb") as log:
        command = [binary("prometheus"), *options, f"--web.listen-address={address}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 - once, at the start
    try:
        async with aiohttp.ClientSession() as http:
            prometheus = Prometheus(http, f"http://{address}")

            async def scraped() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    return bool(await prometheus.ask("rate(gateway_requests_total[1m])"))
                except aiohttp.ClientError:
                    return False

            await until(scraped, 0.1)
            yield prometheus
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
