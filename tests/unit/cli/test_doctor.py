"""`gateway doctor` on a real store, real ports and backends that are away."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def taken() -> Iterator[int]:
    """The port of a web server that is no gateway."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run(folder: Path, text: str) -> Result:
    path = folder / "gateway.yaml"
    path.write_text(text)
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
    return runner.invoke(build(COMMANDS), ["doctor", "--config", str(path), "--data-dir", str(folder / "data")])


def graded(result: Result) -> dict[str, str]:
    """Grade by thing."""
    lines = (line.split(maxsplit=1) for line in result.stdout.splitlines())
    return {rest.partition(":")[0]: grade for grade, rest in lines}


def test_a_store_is_asked_and_a_backend_that_is_away_is_a_problem(tmp_path: Path, valkey_url: str) -> None:
    result = run(
        tmp_path,
        f"server: {{port: 0}}\nstore: {{url: '{valkey_url}'}}\n"
        "backends: {own: {dialect: tei, url: 'http://user:s3cret@127.0.0.1:9'}}\n"
        "models: {m: {backend: own, dimensions: 8}}\n",
    )
    assert result.exit_code == 1
    found = graded(result)
    assert found["store version"] == found["clocks"] == found["data_dir"] == "ok"
    assert found["backend own"] == "problem"
    assert "look at http://127.0.0.1:9" in result.stdout
    assert "s3cret" not in result.output
    assert "problem" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_store_that_is_away_and_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    result = run(tmp_path, f"server: {{port: 0}}\nstore: {{url: 'unix://{tmp_path}/none'}}\n")
    found = graded(result)
    assert (result.exit_code, found["store"], found["data_dir"]) == (1, "problem", "problem")
    assert "store.url" in result.stdout


def test_a_port_that_another_program_has(tmp_path: Path, taken: int) -> None:
    result = run(tmp_path, f"server: {{port: {taken}}}\n")
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert graded(result)[f"port {taken}"] == "problem", repr(result.exception)
    assert result.exit_code == 1


def test_a_wrong_configuration_ends_the_visit(tmp_path: Path) -> None:
    result = run(tmp_path, "server: {port: 80800}\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "server.port" in result.stderr
