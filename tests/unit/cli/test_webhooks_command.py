"""E: `gateway webhooks` on a real store."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.config.webhooks import Webhook
from gateway.notify.addresses import shown_key, tenant_key
from gateway.ports import Notice
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.notices import RedisNotices
from gateway.tasks import TaskGroup

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
        jobs = RedisNotices(Line(client, TaskGroup(), 5.0), Keys("gw"), lambda: 1_800_000_000_000, of_jobs=True)
        to_client = Notice("msg_3", "https://shop.example/token?a=b", '{"type":"batch.completed"}', tenant="shop")
        await jobs.post("claim", 0, [to_client])
        await jobs.end(to_client, "tries")
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}\nwebhooks: [{{url: '{URL}', secret: {SECRET}}}]")
    return str(path)


def said(command: str, config: str, *options: str) -> list[str]:
    result = CliRunner().invoke(build(COMMANDS), ["webhooks", command, "--config", config, *options])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_dead_notices_are_listed_without_addresses_and_sent_again(config: str) -> None:
    assert said("list", config) == [
        "2027-01-15T08:00:00Z  tries  no longer configured  msg_2  {}",
        '2027-01-15T08:00:00Z  gone  webhooks.0  msg_1  {"type":"budget.spent"}',
        '2027-01-15T08:00:00Z  tries  shop https://shop.example  msg_3  {"type":"batch.completed"}',
    ]
    assert said("retry", config) == ["3 due now"]
    assert said("list", config) == []
    assert said("retry", config) == ["0 due now"]


def test_a_tenants_secret_is_the_same_each_time_and_its_own(config: str) -> None:
    (shop,), (other,) = said("secret", config, "--tenant", "shop"), said("secret", config, "--tenant", "other")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", shop)
    assert said("secret", config, "--tenant", "shop") == [shop] != [other]
    with Path(config).open("a") as file:
        file.write("\nserver: {secret: one-that-is-written-down}")
    assert said("secret", config, "--tenant", "shop") == [shown_key(tenant_key("shop", b"one-that-is-written-down"))]
