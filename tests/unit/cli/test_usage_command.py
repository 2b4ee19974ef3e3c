"""E: `gateway usage` on a real store."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.cli.store import ledger_on
from gateway.stores.redis.client import connect
from gateway.stores.redis.keys import Keys
from gateway.vocabulary import Account, Batch, Tally

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

DAY = 24


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with two tenants; one of them was here ten days ago, too."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client = connect(valkey_url, 5.0)
        await client.flushall()
        now = int(time.time()) // 3_600
        shop = Account(now, "shop", "k1", "m1", "embeddings")
        tallies = {
            shop: Tally(3, 3_000, 1_000, 50_000_000, 2_000, 100_000_000),
            shop._replace(hour=now - 10 * DAY): Tally(7),
            shop._replace(tenant="blog", model="m2"): Tally(5),
        }
        await ledger_on(client, Keys("gw"), 400).add(Batch("w", 1, tallies), 0)
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}\n")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "40", "TERM": "dumb"}).invoke(build(COMMANDS), ["usage", *arguments])


def lines(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_csv_has_exact_figures(config: str) -> None:
    assert lines("--config", config, "--format", "csv") == [
        "model,requests,tokens,upstream_tokens,cost_usd,saved_tokens,saved_usd",
        "m1,3,3000,1000,0.05,2000,0.1",
        "m2,5,0,0,0,0,0",
    ]


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        (["--by", "tenant"], {"blog": 5, "shop": 3}),
        (["--by", "tenant", "--tenant", "shop"], {"shop": 3}),
        (["--by", "tenant", "--since", "11d"], {"blog": 5, "shop": 10}),
        (["--by", "tenant", "--since", "11d", "--until", "2d"], {"shop": 7}),
        (["--tenant", "nobody"], {}),
    ],
)
def test_json_holds_what_was_asked_for(config: str, options: list[str], requests: dict[str, int]) -> None:
    content = json.loads("".join(lines("--config", config, "--format", "json", *options)))
    assert {row.get("tenant", ""): row["requests"] for row in content["rows"]} == requests
    assert content["totals"]["requests"] == sum(requests.values())
    assert set(content["period"]) == {"since", "until"}
    assert json.loads("".join(lines("--config", config, "--json", *options)))["rows"] == content["rows"]


def test_a_table_has_a_total_and_is_not_cut_where_there_is_no_terminal(config: str) -> None:
    shown = lines("--config", config)
    assert [line.split() for line in shown if line.split()[:1] == ["total"]] == [
        ["total", "8", "3,000", "1,000", "0.05", "2,000", "0.1"]
    ]


def test_a_time_that_is_none_is_said(config: str) -> None:
    result = run("--config", config, "--since", "yesterday")
    assert result.exit_code == 2
    assert "--since" in result.output


def test_a_store_that_is_away_is_said(tmp_path: Path) -> None:
    result = run("--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "start the gateway, or name its --data-dir" in result.stderr
