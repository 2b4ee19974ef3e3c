from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import build
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from gateway.config.schema import Config


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    configs: list[Config] = []
    monkeypatch.setattr("gateway.processes.tree.serve", lambda config, **_: configs.append(config))
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    return configs


def gateway(*arguments: str) -> Result:
    return CliRunner().invoke(build(("gateway.cli.serve", "gateway.cli.check")), ["serve", *arguments])


def test_options_win_over_the_file(served: list[Config], tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("server: {port: 1, host: 0.0.0.0, workers: 4, timeout: 7}")
    assert gateway("--config", str(file), "--port", "0", "--workers", "2", "--data-dir", "/d").exit_code == 0
    (config,) = served
    assert (config.server.port, config.server.host, config.server.workers) == (0, "0.0.0.0", 2)  # noqa: S104 - a value
    assert (config.server.data_dir, config.server.timeout) == ("/d", 7)


def test_without_a_file_everything_is_default(served: list[Config]) -> None:
    assert gateway().exit_code == 0
    assert served[0].server.port == 8080
    assert served[0].store.url is None


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("server: {prot: 1}", (), "prot"),
        ("", ("--port", "70000"), "--port"),
        ("", ("--workers", "0"), "--workers"),
    ],
)
def test_a_wrong_setting_is_exit_code_1(
    served: list[Config], tmp_path: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    result = gateway("--config", str(file), *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert served == []


def test_a_missing_file_is_exit_code_2(served: list[Config], tmp_path: Path) -> None:
    result = gateway("--config", str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "none.yaml: cannot be read" in result.stderr
    assert served == []


def test_what_keeps_it_from_starting_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Config, **__: object) -> None:
        raise StartError("port 1 is in use")

    monkeypatch.setattr("gateway.processes.tree.serve", refuse)
    result = gateway()
    assert (result.exit_code, result.stderr) == (1, "gateway: port 1 is in use\n")
