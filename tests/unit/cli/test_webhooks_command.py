"""E: `gateway webhooks` on a real store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.config.webhooks import Webhook
from gateway.ports import Notice
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.notices import RedisNotices
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from pathlib import Path

URL, SECRET = "http://ops.example/token", "0123456789abcdef01234567"


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client = connect(valkey_url, 5.0)
        await client.flushall()
        store = RedisNotices(Line(client, TaskGroup(), 5.0), Keys("gw"), lambda: 1_800_000_000_000)
        known = Webhook(url=URL, secret=SECRET).id
        told = [Notice("msg_1", known, '{"type":"budget.spent"}'), Notice("msg_2", "other", "{}")]
        await store.post("claim", None, told)
        for notice, why in zip(told, ("gone", "tries"), strict=True):
            await store.end(notice, why)
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}\nwebhooks: [{{url: '{URL}', secret: {SECRET}}}]")
    return str(path)


def said(command: str, config: str) -> list[str]:
    result = CliRunner().invoke(build(COMMANDS), ["webhooks", command, "--config", config])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_dead_notices_are_listed_without_addresses_and_sent_again(config: str) -> None:
    assert said("list", config) == [
        "2027-01-15T08:00:00Z  tries  no longer configured  msg_2  {}",
        '2027-01-15T08:00:00Z  gone  webhooks.0  msg_1  {"type":"budget.spent"}',
    ]
    assert said("retry", config) == ["2 due now"]
    assert said("list", config) == []
    assert said("retry", config) == ["0 due now"]
