from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from alerts import alerts
from fakes.jina_upstream import Fault
from fakes.running_gateway import until
from fakes.running_prometheus import GRAFANA, binary, scraping
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.document import instruments
from gateway.observe.native import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway
    from fakes.running_prometheus import Prometheus

MODEL = "jina-embeddings-v3"
KNOWN = {name for one in instruments() for name in one.series}
SEEN = (
    "gateway_build_info",
    'window="tokens"',
    "loop_lag",
    "saved_tokens",
    "stage_seconds",
    "cache_lookups",
    "memory_bytes",
    "limit_used",
    "limit_running",
    "upstream_running",
    "upstream_key_paused",
    "gateway_degraded",
    "gateway_store_up",
    "store_commands",
    "gateway_connections",
    "connections_closed",
    "open_files",
    "cpu_seconds",
    "gc_seconds",
    "batch_jobs_open",
)
"""Queries that say something of any gateway that has answered a call."""

VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$tenant": ".*", "$backend": ".*"}


def queries() -> list[str]:
    """What Grafana would ask of Prometheus, and what rules ask."""
    found = [alert.expr for alert in alerts()]
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [target["expr"] for target in panel["targets"]]
    for name, value in VARIABLES.items():
        found = [query.replace(name, value) for query in found]
    return found


async def drawn(board: str, url: str, folder: Path) -> bool:
    """Whether grafana/render.py makes a picture of it."""
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    command = [sys.executable, str(GRAFANA / "render.py"), url, str(folder), board, "--minutes", "1"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    return (folder / f"{board}.png").read_bytes().startswith(b"\x89PNG")


async def test_a_real_prometheus_answers_every_query(remote: Gateway, upstream: Upstream, tmp_path: Path) -> None:
    binary("prometheus")
    upstream.faults.append(Fault(503))
    for text in ("one", "two", "one"):
        assert (await remote.embed([text], model=MODEL)).status == 200
    assert (await remote.embed(["x"], model="nobody's")).status == 400
    async with scraping(remote, tmp_path) as prometheus:
        answers = {query: await prometheus.ask(query) for query in queries()}
        assert await prometheus.ask('up{job="gateway"} == 1')
        assert await prometheus.ask('gateway_upstream_retries_total{endpoint="embeddings"} > 0')
        for part in SEEN:
            assert any(answer for query, answer in answers.items() if part in query), part
        rules = [rule for group in (await prometheus.get("rules"))["groups"] for rule in group["rules"]]
        assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
        assert not [rule["name"] for rule in rules if rule.get("state") == "firing"]
        stored = await prometheus.get("label/__name__/values")
        assert await drawn("overview", prometheus.url, tmp_path)
    assert {name for name in stored if re.match(r"gateway_", str(name))} <= KNOWN


@pytest.mark.parametrize(
    "words", ["check rules alerts.yaml recording.yaml", "check config prometheus.yaml", "test rules alerts.test.yaml"]
)
def test_promtool_finds_rules_that_fire_and_resolve(words: str) -> None:
    done = subprocess.run(
        [binary("promtool"), *words.split()], cwd=GRAFANA, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


FACTOR = 2 ** (2**-SCHEMA)
"""From one native bucket to the next."""

LATENCIES = [query for query in queries() if re.match(r"histogram_quantile.*(request|stage|loop_lag)_seconds", query)]
HEAT = next(query for query in queries() if " or on() " in query and "gateway_request_seconds" in query)

HISTOGRAMS = {
    "gateway_request_seconds": ("endpoint", "embeddings"),
    "gateway_stage_seconds": ("stage", "plan"),
    "gateway_upstream_seconds": ("backend", "jina"),
}


async def one(prometheus: Prometheus, query: str) -> float:
    (answer,) = await prometheus.ask(query)
    return float(answer["value"][1])


def classic(text: str, name: str, labels: dict[str, str]) -> tuple[float, float, dict[float, float]]:
    """Count, sum and buckets of a histogram, as the text has them."""
    (family,) = [one for one in text_string_to_metric_families(text) if one.name == name]
    own = [one for one in family.samples if one.labels.items() >= labels.items()]
    value = {one.name.rpartition("_")[2]: one.value for one in own}
    return value["count"], value["sum"], {float(one.labels["le"]): one.value for one in own if "le" in one.labels}


async def test_native_histograms_say_what_the_classic_ones_say(
    remote: Gateway, upstream: Upstream, tmp_path: Path
) -> None:
    """A Prometheus that asks for native histograms gets them, and every other metric, in the protobuf form."""
    upstream.faults.append(Fault(503))
    for number in range(30):
        assert (await remote.embed([f"text {number}"], model=MODEL)).status == 200
    text = (await remote.get("/metrics")).body.decode()
    async with scraping(remote, tmp_path, "native-histograms") as prometheus:
        for name, (label, value) in HISTOGRAMS.items():
            count, total, buckets = classic(text, name, {label: value})
            series = f'{name}{{{label}="{value}"}}'
            assert await one(prometheus, f"histogram_count({series})") == count >= 30
            assert await one(prometheus, f"histogram_sum({series})") == pytest.approx(total)
            for share in (0.1, 0.5, 0.99):
                high = min(bound for bound, below in buckets.items() if below >= share * count)
                low = max((bound for bound in buckets if bound < high), default=0.0)
                answer = await one(prometheus, f"histogram_quantile({share}, {series})")
                assert low / FACTOR < answer < high * FACTOR
        stored = set(await prometheus.get("label/__name__/values"))
        shown = {one.name for family in text_string_to_metric_families(text) for one in family.samples}
        assert {re.sub("_(bucket|sum|count)$", "", name) for name in shown} <= stored
        assert await one(prometheus, f'gateway_tokens_total{{kind="upstream", model="{MODEL}"}}') > 0

        async def told() -> bool:
            """Boards, alerts and recording rules, which find no classic buckets here."""
            assert (await remote.embed(["text 1"], model=MODEL)).status == 200
            answers = [await prometheus.ask(query) for query in [*LATENCIES, "gateway:requests_slow:ratio_rate5m"]]
            return all(any(float(one["value"][1]) >= 0 for one in answer) for answer in answers)

        await until(told, 0.2)
        assert ["histogram" in one for one in await prometheus.ask(HEAT)] == [True]
        assert not await prometheus.ask("gateway_stage_seconds_bucket")
        assert await one(prometheus, "gateway:requests_slow:ratio_rate5m") == pytest.approx(0, abs=1e-9)
