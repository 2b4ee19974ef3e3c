"""E: `gateway cache …` on a real store."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.plan.origin import origin, tag
from gateway.stores.redis.client import connect
from gateway.stores.redis.entry import encode
from gateway.stores.redis.keys import Keys
from gateway.vocabulary import Answer, Shape

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

KEYS = Keys("gw")
COUNT = 70
NOBODYS = 10
SIZE = 93


@pytest.fixture
def config(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration that names a store with COUNT entries, and three accesses in its sketch."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    async def fill() -> None:
        client = connect(valkey_url, 5.0)
        await client.flushall()
        now = int(time.time())
        for number in range(COUNT):
            whose = origin("m", None) if number < NOBODYS else origin("jina-embeddings-v3", f"tenant{number % 2}")
            answer = Answer(Shape.SCORE, bytes(8), 0, 3, made=now - 3_600 * number, origin=whose)
            await client.set(KEYS.answer(number.to_bytes(16, "big")), encode(b"p" * 16, answer), px=50_000)
        for _ in range(3):
            await client.xadd(KEYS.sketch, {b"a": bytes(16)})
        await client.aclose()

    asyncio.run(fill())
    path = tmp_path / "gateway.yaml"
    path.write_text(f"store: {{url: '{valkey_url}'}}\n")
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(build(COMMANDS), ["cache", *arguments])


def entries(config: str) -> str:
    result = run("stats", "--config", config)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[0]


def test_stats(config: str) -> None:
    lines = run("stats", "--config", config).stdout.splitlines()
    assert lines[0] == f"entries  {COUNT}"
    assert lines[1].startswith(f"bytes    {COUNT * SIZE:,} ")
    assert lines[2] == f"tokens   {COUNT * 3}"
    named, unknown = COUNT - NOBODYS, f"(unknown {tag('m').hex()})"
    assert lines[-2:] == [
        f"model    jina-embeddings-v3: {named} entries, {named * SIZE:,} bytes, {named * 3} tokens",
        f"model    {unknown}: {NOBODYS} entries, {NOBODYS * SIZE} bytes, {NOBODYS * 3} tokens",
    ]


def test_purge_by_age_by_origin_and_of_everything(config: str) -> None:
    unnamed = run("purge", "--tenant", "tenant1", "--config", config)
    assert unnamed.stdout.startswith("removed 30; workers may ")
    assert unnamed.stderr.startswith(f"kept {NOBODYS} that do not say their model")
    both = run("purge", "--tenant", "tenant1", "--model", "jina-embeddings-v3", "--config", config)
    assert both.stdout.startswith("removed 0;")
    assert run("purge", "--before", "90m", "--config", config).stdout.startswith("removed 38;")
    assert entries(config) == "entries  2"
    assert run("purge", "--model", "m", "--config", config).stdout.startswith("removed 2;")
    assert entries(config) == "entries  0"


def test_purge_of_everything(config: str) -> None:
    assert run("purge", "--all", "--config", config).stdout.startswith(f"removed {COUNT};")
    assert entries(config) == "entries  0"


@pytest.mark.parametrize("options", [[], ["--all", "--before", "7d"], ["--before", "soon"]])
def test_an_unclear_purge_removes_nothing(config: str, options: list[str]) -> None:
    assert run("purge", *options, "--config", config).exit_code == 2
    assert entries(config) == f"entries  {COUNT}"


def test_a_cache_moves_through_a_file(config: str, tmp_path: Path) -> None:
    file = tmp_path / "cache.bin"
    exported = run("export", str(file), "--config", config)
    assert (exported.exit_code, exported.stdout) == (0, f"exported {COUNT} to {file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    run("purge", "--before", "90m", "--config", config)
    imported = run("import", str(file), "--config", config)
    assert imported.stdout == f"imported {COUNT - 2} of {COUNT}; the others were stored already\n"
    assert entries(config) == f"entries  {COUNT}"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_a_cut_file_brings_whole_entries_only(config: str, tmp_path: Path) -> None:
    file = tmp_path / "cache.bin"
    run("export", str(file), "--config", config)
    run("purge", "--all", "--config", config)
    file.write_bytes(file.read_bytes()[:-40])
    result = run("import", str(file), "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{file}: cut off at record {COUNT}\n"
    assert "other" not in run("stats", "--config", config).stdout


@pytest.mark.parametrize("command", ["import", "warm"])
def test_a_file_that_is_not_there(config: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "k")
    where = ["--config", config] if command == "import" else []
    result = run(command, "/nonexistent/file", *where)
    assert (result.exit_code, result.stderr) == (1, "/nonexistent/file: No such file or directory\n")


def test_an_export_to_nowhere(config: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "file"
    result = run("export", str(file), "--config", config)
    assert (result.exit_code, result.stderr) == (1, f"{file}: No such file or directory\n")


def test_garbage_is_refused(config: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"garbage" * 100)
    result = run("import", str(tmp_path / "x"), "--config", config)
    assert (result.exit_code, result.stderr) == (1, f"{tmp_path / 'x'}: not a cache export of this version\n")


def test_what_if(config: str) -> None:
    lines = run("whatif", "--sizes", "1000,1_000_000", "--config", config).stdout.splitlines()
    assert lines[0].startswith("3 accesses recorded in 0.0 h")
    assert lines[1].split() == ["ttl", "unlimited", "1,000", "1,000,000"]
    assert lines[2].split() == ["1", "h", "66.7%", "66.7%", "66.7%"]
    assert [line[:6].strip() for line in lines[2:]] == ["1 h", "1 d", "7 d", "30 d"]
    assert run("whatif", "--sizes", "many", "--config", config).exit_code == 2


def test_a_store_that_is_not_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    for command in (["stats"], ["purge", "--all"], ["export", str(tmp_path / "f")], ["whatif"]):
        result = run(*command, "--data-dir", str(tmp_path))
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"gateway: the store at {tmp_path}/run/store.sock failed (")
        assert result.stderr.endswith("start the gateway, or name its --data-dir\n")
    assert list(tmp_path.iterdir()) == []


def test_warm_wants_a_key_and_takes_none_as_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_KEY", raising=False)
    (tmp_path / "lines").write_text('{"model": "m", "input": "a"}\nnot json\n')
    assert run("warm", str(tmp_path / "lines")).exit_code == 2
    (tmp_path / "key").write_text("k\n")
    options = ["--url", "http://127.0.0.1:1", "--key-file", str(tmp_path / "key")]
    result = run("warm", str(tmp_path / "lines"), *options)
    assert (result.exit_code, result.stdout) == (1, "inputs stored already 0, asked 0; lines failed 2\n")
    assert sorted(result.stderr.splitlines()) == ["line 1: no answer (ClientConnectorError)", "line 2: not JSON"]


@pytest.mark.parametrize("command", ["stats", "purge", "export", "import", "warm", "whatif"])
def test_help_is_there(command: str) -> None:
    assert run(command, "--help").exit_code == 0
