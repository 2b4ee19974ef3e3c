"""E: `gateway limits` on a real store, and what `gateway top` makes of an answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.cli.top_screen import plain, screen
from gateway.ports import Amounts, Spend, Statement
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quota import RedisQuota
from gateway.tasks import TaskGroup
from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

TENANTS = """
tiers: {small: {rpm: 10, tpm: 1000, budgets: [{per: month, usd: "2"}]}}
tenants:
  shop: {tier: small, keys: [key-of-shop]}
  blog: {tier: small, keys: [key-of-blog]}
limits: {total: {rpm: 500, shadow: true}}
"""


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shop has four requests under way or just answered."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client, tasks = connect(valkey_url, 5.0), TaskGroup()
        await client.flushall()
        quota = RedisQuota(Line(client, tasks, 5.0), Keys("gw"), 15.0)
        meter = Meter("t:shop", Scope.TENANT, Limits(10, 1_000, None))
        want = Amounts(4, 250)
        grant = await quota.exchange(Statement(meter, "a", 1, least=want, needed=want, wanted=want))
        spent = (Spend(int(grant.now), 3, 250),)
        await quota.exchange(Statement(meter, "a", 2, released=Amounts(3, 250), spent=spent))
        await tasks.drain(5.0)
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}{TENANTS}")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "40", "TERM": "dumb"}).invoke(build(COMMANDS), ["limits", *arguments])


def test_a_table_has_the_fullest_first(config: str) -> None:
    result = run("--config", config)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert rows[2] == ["shop", "all", "its", "calls", "requests", "a", "minute", "4", "6", "10", "40", "%"]
    assert rows[3] == ["shop", "all", "its", "calls", "tokens", "a", "minute", "250", "750", "1,000", "25", "%"]
    assert ["blog", "budget", "month", "US", "dollars", "$0", "$2", "$2", "0", "%"] in rows
    assert ["everybody", "all", "calls", "(shadow)", "requests", "a", "minute", "0", "500", "500", "0", "%"] in rows


def test_json_is_for_one_tenant_and_everybody(config: str) -> None:
    result = run("shop", "--json", "--config", config)
    told = json.loads(result.stdout)
    assert told["tenant"] == "shop"
    assert [(row["tenant"], row["kind"], row["used"], row["left"]) for row in told["limits"]] == [
        ("shop", "requests", 4, 6),
        ("shop", "tokens", 250, 750),
        ("shop", "usd", "0", "2"),
        ("", "requests", 0, 500),
    ]


def test_a_tenant_that_is_not_there_is_said(config: str) -> None:
    result = run("nobody", "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no limits of a tenant 'nobody'" in result.stderr


def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("store: {url: 'redis://127.0.0.1:1'}\n")
    result = run("--config", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "check store.url" in result.stderr


RECENT = {
    "requests": 5.37,
    "refused": 0.6,
    "failed": 0.0,
    "paid": 3.87,
    "saved": 86.0,
    "saved_usd": 0.00172,
    "upstream": 0.467,
    "hit_share": 0.98,
    "p50": 0.0022,
    "p99": 0.0488,
}
BOUND = {"tenant": "trial", "scope": "tenant", "name": "", "kind": "requests", "limit": 40, "used": 37, "share": 0.925}
TOLD: dict[str, Any] = {
    "at": 1_000,
    "workers": 2,
    "now": RECENT,
    "minute": RECENT,
    "limits": [
        BOUND,
        BOUND | {"scope": "budget", "name": "day", "kind": "usd", "limit": "0.5", "used": "0.4", "share": 0.8},
        BOUND | {"tenant": "", "scope": "budget", "name": "balance", "kind": "tokens", "share": 0.01},
    ],
    "backends": [
        {
            "name": "jina",
            "models": [
                {"name": "m1", "state": "well", "well": True, "tokens": 0},
                {"name": "m2", "state": "not asked yet", "well": True, "tokens": 0},
                {"name": "m3", "state": "open at 1 of 2", "well": False, "tokens": 1_200},
            ],
        }
    ],
    "tenants": [{"tenant": "search", "tokens": 42.0}, {"tenant": "", "tokens": 0.5}],
}
NOTHING = TOLD | {
    "now": RECENT | {"hit_share": None},
    "minute": RECENT | {"p50": None, "p99": None},
    "limits": [],
    "tenants": [],
}


def test_plain_lines() -> None:
    assert plain(TOLD) == [
        "requests  5.37 a second, refused 0.6, failed 0",
        "hits      98 % of inputs",
        "latency   p50 2.2 ms, p99 48.8 ms",
        "tokens    3.87 a second paid for, 86 saved",
        "money     $6.19 an hour saved",
        "upstream  0.467 calls a second",
        "workers   2 on the store",
        "limit     trial all its calls requests a minute: 37 of 40 (92 %)",
        "limit     trial budget day US dollars: $0.4 of $0.5 (80 %)",
        "limit     everybody budget balance tokens: 37 of 40 (1.0 %)",
        "backend   jina m3: open at 1 of 2",
        "backend   jina m1: well",
        "tenant    search: 42 tokens a second",
        "tenant    none: 0.5 tokens a second",
    ]


def drawn(told: dict[str, Any], problem: str = "") -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(screen(told, "http://gateway", problem))
    return captured.get()


def test_a_screen_has_the_same() -> None:
    text = drawn(TOLD, "it does not answer")
    for part in (
        "2 workers",
        "it does not answer; these figures are of",
        "trial all its calls",
        "open at 1 of 2",
        "42",
    ):
        assert part in text
    assert text.index("m3") < text.index("m1")
    assert "m2" not in text
    text = drawn(NOTHING)
    assert "Nothing is used of any limit now" in text
    assert "No tokens in the last minute" in text
