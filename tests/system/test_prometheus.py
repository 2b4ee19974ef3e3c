from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from alerts import alerts
from fakes.running_gateway import until

from gateway.observe.document import instruments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

GRAFANA = Path(__file__).resolve().parents[2] / "grafana"
MODEL = "jina-embeddings-v3"
KNOWN = {name for one in instruments() for name in one.series}
VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$tenant": ".*", "$backend": ".*"}


def binary(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on PATH (apt-get install prometheus)")
    return found


def queries() -> list[str]:
    """What Grafana would ask of Prometheus, and what rules ask."""
    found = [alert.expr for alert in alerts()]
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [target["expr"] for target in panel["targets"]]
    for name, value in VARIABLES.items():
        found = [query.replace(name, value) for query in found]
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        async with self._http.get(f"{self._url}/api/v1/{path}", params=params) as answer:
            body: dict[str, Any] = await answer.json()
            assert body["status"] == "success", (params, body)
            return body["data"]  # type: ignore[no-any-return]

    async def ask(self, query: str) -> list[Any]:
        return (await self.get("query", query=query))["result"]  # type: ignore[no-any-return]


@asynccontextmanager
async def scraping(gateway: Gateway, folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus with our example configuration and rules, at a pace for tests."""
    settings = yaml.safe_load((GRAFANA / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    settings["rule_files"] = [str(GRAFANA / name) for name in settings["rule_files"]]
    settings["scrape_configs"][0]["static_configs"][0]["targets"] = [gateway.url.removeprefix("http://")]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
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


@pytest.mark.usefixtures("upstream")
async def test_a_real_prometheus_answers_every_query(remote: Gateway, tmp_path: Path) -> None:
    binary("prometheus")
    for text in ("one", "two", "one"):
        assert (await remote.embed([text], model=MODEL)).status == 200
    assert (await remote.embed(["x"], model="nobody's")).status == 400
    async with scraping(remote, tmp_path) as prometheus:
        answers = {query: await prometheus.ask(query) for query in queries()}
        assert await prometheus.ask('up{job="gateway"} == 1')
        for part in ("gateway_build_info", 'window="tokens"', "loop_lag", "saved_tokens", "stage_seconds"):
            assert any(answer for query, answer in answers.items() if part in query), part
        rules = [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]
        assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
        assert not [rule["name"] for rule in rules if rule.get("state") == "firing"]
        stored = await prometheus.get("label/__name__/values")
    assert {name for name in stored if re.match(r"gateway_", str(name))} <= KNOWN


@pytest.mark.parametrize(
    "words", ["check rules alerts.yaml recording.yaml", "check config prometheus.yaml", "test rules alerts.test.yaml"]
)
def test_promtool_finds_rules_that_fire_and_resolve(words: str) -> None:
    done = subprocess.run(
        [binary("promtool"), *words.split()], cwd=GRAFANA, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
