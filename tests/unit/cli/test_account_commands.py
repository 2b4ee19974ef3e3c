"""E: `gateway tenants`, `gateway keys` and `gateway audit` on a real store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.authenticate import KEY_LENGTH, digest
from gateway.cli import COMMANDS, build
from gateway.cli.administer import seconds, who
from gateway.stores.redis.client import connect
from gateway.stores.redis.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

KEYS = Keys("gw")
SECRET = "0123456789abcdef"


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration with one tenant that names an empty store."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    asyncio.run(emptied(valkey_url))
    path = tmp_path / "gateway.yaml"
    path.write_text(
        f"store: {{url: '{valkey_url}'}}\nserver: {{secret: '{SECRET}'}}\n"
        "tenants: {search: {tier: tier1, keys: [key-of-search]}}\n"
    )
    return str(path)


async def emptied(url: str) -> None:
    client = connect(url, 5.0)
    await client.flushall()
    await client.aclose()


async def dumped(url: str) -> str:
    """Everything about accounts that is in the store."""
    client = connect(url, 5.0)
    _, tenants, keys, audit = KEYS.accounts
    held = [await client.hgetall(tenants), await client.hgetall(keys), await client.xrange(audit)]
    await client.aclose()
    return str(held)


def run(config: str, *arguments: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
    return runner.invoke(build(COMMANDS), [*arguments, "--config", config])


def good(config: str, *arguments: str) -> str:
    result = run(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(config: str, *arguments: str) -> list[list[str]]:
    return [line.split() for line in good(config, *arguments).splitlines()[1:]]


def test_a_tenant_from_its_making_to_its_end(config: str) -> None:
    good(config, "tenants", "create", "shop", "--tier", "tier2", "--org", "o", "--cache-scope", "tenant")
    good(config, "keys", "create", "--tenant", "shop")
    assert rows(config, "tenants", "list") == [
        ["search", "tier1", "default", "org", "enabled", "1", "file"],
        ["shop", "tier2", "o", "tenant", "enabled", "1", "command"],
    ]
    good(config, "tenants", "update", "shop", "--tier", "free", "--disable")
    assert rows(config, "tenants", "list")[1][1:5] == ["free", "o", "tenant", "disabled"]
    good(config, "tenants", "delete", "shop")
    assert len(rows(config, "tenants", "list")) == 1
    assert rows(config, "keys", "list") == []


def test_a_key_is_printed_once_and_kept_as_a_digest(config: str, valkey_url: str) -> None:
    key = good(config, "keys", "create", "--tenant", "search", "--name", "ci").strip()
    assert len(key) == KEY_LENGTH
    held = asyncio.run(dumped(valkey_url))
    assert digest(key, SECRET.encode()).hex() in held
    assert key not in held
    ((key_id, tenant, name, _, expires, state),) = rows(config, "keys", "list")
    assert (tenant, name, expires, state) == ("search", "ci", "never", "good")
    listed = "".join(good(config, *command) for command in (("keys", "list"), ("tenants", "list"), ("audit",)))
    assert key_id in listed
    assert key not in listed
    assert digest(key, SECRET.encode()).hex() not in listed


def test_a_key_rotated_and_revoked(config: str) -> None:
    good(config, "keys", "create", "--tenant", "search", "--expires", "90d")
    ((old, *_),) = rows(config, "keys", "list", "--tenant", "search")
    assert len(good(config, "keys", "rotate", old, "--grace", "0s").strip()) == KEY_LENGTH
    found = {row[0]: row[-1] for row in rows(config, "keys", "list")}
    assert found.pop(old) == "expired"
    ((new, state),) = found.items()
    assert state == "good"
    good(config, "keys", "revoke", new)
    assert {row[0]: row[-1] for row in rows(config, "keys", "list")}[new] == "revoked"
    assert rows(config, "keys", "list", "--tenant", "other") == []


def test_the_log_says_who_did_what(config: str) -> None:
    good(config, "tenants", "create", "shop")
    good(config, "keys", "create", "--tenant", "shop")
    told = good(config, "audit").splitlines()
    assert [(line.split()[1], "key created" in line, "tenant created" in line) for line in told[1:]] == [
        (who(), True, False),
        (who(), False, True),
    ]
    assert len(good(config, "audit", "--limit", "1").splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("tenants", "create", "search"), 1, "gateway: name is a tenant of the configuration; change it there"),
        (("tenants", "create", "a b"), 2, "use letters"),
        (("tenants", "create", "a", "--tier", "teir1"), 1, "did you mean `tier1`?"),
        (("tenants", "create", "a", "--cache-scope", "all"), 2, "write one of off, tenant"),
        (("tenants", "update", "a"), 2, "nothing to change"),
        (("tenants", "update", "a", "--enable"), 1, "gateway: Tenant 'a' not found"),
        (("tenants", "delete", "a"), 1, "gateway: Tenant 'a' not found"),
        (("keys", "create", "--tenant", "a"), 1, "gateway: Tenant 'a' not found"),
        (("keys", "create", "--tenant", "search", "--expires", "soon"), 2, "not a length of time"),
        (("keys", "create", "--tenant", "search", "--expires", "2026-01-01"), 2, "not a length of time"),
        (("keys", "rotate", "0"), 1, "gateway: Key '0' not found"),
        (("keys", "revoke", "0"), 1, "gateway: Key '0' not found"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(config: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run(config, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_a_store_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: 'unix://{tmp_path}/none'}}\n")
    result = run(str(path), "keys", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "check store.url" in result.stderr


@pytest.mark.parametrize(("text", "length"), [("0s", 0), ("30m", 1_800), ("24h", 86_400), ("90d", 7_776_000)])
def test_lengths_of_time(text: str, length: int) -> None:
    assert seconds(text) == length
