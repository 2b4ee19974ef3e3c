"""E: `gateway balance` on a real store."""

from __future__ import annotations

import asyncio
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

TENANTS = """
tenants:
  shop: {keys: [key-of-shop], balance: {starting_tokens: 10000}}
  blog: {keys: [key-of-blog], balance: {starting_usd: "5.00"}}
  free: {keys: [key-of-free]}
"""


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client = connect(valkey_url, 5.0)
        await client.flushall()
        shop = Account(1, "shop", "k1", "m1", "embeddings")
        tally = Tally(1, 5_000, 1_200, 1_500_000_000)
        await ledger_on(client, Keys("gw"), 400).add(
            Batch("w", 1, {shop: tally, shop._replace(tenant="blog"): tally}), 0
        )
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}{TENANTS}")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(build(COMMANDS), ["balance", *arguments])


def said(*arguments: str) -> dict[str, str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return dict(line.split(maxsplit=1) for line in result.stdout.splitlines())


def test_tokens_are_used_and_added(config: str) -> None:
    shop = ("--tenant", "shop", "--config", config)
    left = {"began": "10,000 tokens", "added": "0 tokens", "used": "1,200 tokens", "left": "8,800 tokens"}
    assert said("show", *shop) == left
    assert said("top-up", "--tokens", "500", *shop) == left | {"added": "500 tokens", "left": "9,300 tokens"}
    assert said("top-up", "--tokens", "1", *shop)["added"] == "501 tokens"


def test_dollars_are_exact(config: str) -> None:
    blog = ("--tenant", "blog", "--config", config)
    assert said("show", *blog) == {"began": "5 US$", "added": "0 US$", "used": "1.5 US$", "left": "3.5 US$"}
    assert said("top-up", "--usd", "0.000000001", *blog)["left"] == "3.500000001 US$"


@pytest.mark.parametrize(
    ("tenant", "options", "code", "text"),
    [
        ("shop", ["--usd", "5"], 2, "in tokens"),
        ("shop", [], 2, "in tokens"),
        ("shop", ["--usd", "5", "--tokens", "5"], 2, "in tokens"),
        ("blog", ["--tokens", "5"], 2, "in US dollars"),
        ("blog", ["--usd", "five"], 2, "plain decimal"),
        ("blog", ["--usd", "0"], 2, "nothing to add"),
        ("shop", ["--tokens", "-5"], 2, "--tokens"),
        ("free", ["--tokens", "5"], 1, "has a `balance`"),
        ("nobody", ["--tokens", "5"], 1, "has a `balance`"),
    ],
)
def test_what_cannot_be_added_is_said(config: str, tenant: str, options: list[str], code: int, text: str) -> None:
    result = run("top-up", "--tenant", tenant, *options, "--config", config)
    assert (result.exit_code, result.stdout) == (code, "")
    assert text in result.stderr
