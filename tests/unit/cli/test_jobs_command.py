"""`gateway jobs` on a real store."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import gateway.cli.jobs as command
from gateway.cli import COMMANDS, build
from gateway.ports.jobs import Order, State, Tally
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.jobs import RedisJobs
from gateway.stores.redis.keys import Keys
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

NOW = 1_800_000_000
DONE = Order("batch_1", "search", "key-1", "a-model", NOW, NOW + 10**9)
OPEN = replace(DONE, id="batch_2", tenant="other", created=NOW + 60)


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client = connect(valkey_url, 5.0)
        await client.flushall()
        store = RedisJobs(Line(client, TaskGroup(), 5.0), Keys("gw"), lambda: NOW * 1_000)
        await store.create(DONE, 2_000, 10)
        turn = await store.take(1, 15)
        assert turn is not None
        await store.prepared(turn, 1, 2_000)
        turn = await store.take(1, 15)
        assert turn is not None
        await store.done(turn, Tally(1_990, 10, 5_000))
        later = RedisJobs(Line(client, TaskGroup(), 5.0), Keys("gw"), lambda: NOW * 1_000 + 1)
        await later.create(OPEN, None, 10)
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}")
    return str(path)


def run(config: str, *words: str) -> Result:
    return CliRunner().invoke(build(COMMANDS), ["jobs", *words, "--config", config])


def test_jobs_are_listed_newest_first(config: str) -> None:
    first = "batch_2  pending  0/?  0 refused  other  a-model  2027-01-15T08:01:00Z"
    second = "batch_1  completed  2,000/2,000  10 refused  search  a-model  2027-01-15T08:00:00Z"
    assert run(config, "list").stdout.splitlines() == [first, second]
    assert run(config, "list", "--limit", "1").stdout.splitlines() == [first]
    assert run(config, "list", "--tenant", "search").stdout.splitlines() == [second]


def test_one_is_shown_with_whose_it_is(config: str) -> None:
    found = json.loads(run(config, "show", "batch_1").stdout)
    assert (found["tenant"], found["key"], found["status"]) == ("search", "key-1", "completed")
    assert found["stats"] == {"total": 2_000, "completed": 1_990, "failed": 10, "total_tokens": 5_000}


def test_one_is_cancelled_once(config: str) -> None:
    assert run(config, "cancel", "batch_2").stdout == "batch_2 cancelled\n"
    again = run(config, "cancel", "batch_2")
    assert (again.exit_code, again.stderr) == (1, "gateway: batch_2 has ended already: cancelled\n")


@pytest.mark.parametrize("word", ["show", "cancel", "watch"])
def test_what_is_not_there_is_said_to_be(config: str, word: str) -> None:
    result = run(config, word, "batch_9")
    assert (result.exit_code, result.stderr) == (1, "gateway: there is no job batch_9\n")


def test_one_is_watched_until_it_ends(config: str, monkeypatch: pytest.MonkeyPatch, valkey_url: str) -> None:
    assert run(config, "watch", "batch_1").stdout == "completed  2,000/2,000  10 refused\n"
    looks = 0

    async def later(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            client = connect(valkey_url, 5.0)
            await RedisJobs(Line(client, TaskGroup(), 5.0), Keys("gw")).end("batch_2", State.FAILED, "no money")
            await client.aclose()

    monkeypatch.setattr("gateway.cli.jobs.asyncio.sleep", later)
    result = run(config, "watch", "batch_2")
    assert result.stdout.splitlines() == ["pending  0/?  0 refused", "failed  0/?  0 refused"]
    assert (result.exit_code, result.stderr) == (1, "gateway: no money\n")


def test_a_terminal_gets_a_bar(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    class Watched:
        stdout = Terminal()

    monkeypatch.setattr(command, "sys", Watched)
    result = run(config, "watch", "batch_1")
    assert result.exit_code == 0
    assert "2000/2000" in result.stdout
