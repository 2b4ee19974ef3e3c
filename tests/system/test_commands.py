from __future__ import annotations

import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.running_gateway import COMMAND, PATIENCE, clean_environment

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
KEY = "jina_" + "k" * 60


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `gateway …`."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=clean_environment(env),
    )
    return done.returncode, done.stdout, done.stderr


def written(folder: Path, text: str) -> str:
    (folder / "gateway.yaml").write_text(text)
    return str(folder / "gateway.yaml")


def test_check_sums_up_a_good_file_and_shows_no_key(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "backends: {jina: {dialect: jina, url: https://api.jina.ai, key: ${UP}}}\n"
        "tenants: {search: {tier: tier1, keys: [${SEARCH_KEY}]}}\n",
    )
    code, out, err = run("check", "--config", path, env={"UP": KEY, "SEARCH_KEY": KEY[:-1] + "x"})
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: usable\n")
    assert "tenant    search: tier tier1" in out
    assert "models    25 served" in out
    assert KEY[:-1] not in out


def test_check_names_file_line_key_and_remedy(tmp_path: Path) -> None:
    path = written(tmp_path, "server:\n  port: 80800\n  wrokers: 2\ntenants: {search: {keys: [${NOT_SET}]}}\n")
    code, out, err = run("check", "--config", path)
    assert (code, out) == (1, "")
    for part in (f"{path}:2: server.port", f"{path}:3: server.wrokers", f"{path}:4: ", "NOT_SET", "3 problems found"):
        assert part in err


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, out, err = run("check", "--config", str(tmp_path / "none.yaml"))
    assert (code, out) == (2, "")
    assert "none.yaml: cannot be read" in err


def test_the_example_is_good() -> None:
    code, out, _ = run("check", "--config", str(EXAMPLE))
    assert code == 0
    assert "usable" in out


@pytest.mark.parametrize("command", [(), ("serve",), ("check",)])
def test_help_names_the_options(command: tuple[str, ...]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    wanted = {"serve": ("--config", "--host", "--port", "--workers", "--data-dir"), "check": ("--config",)}
    for part in wanted.get("".join(command), ("serve", "check")):
        assert part in out


def test_serve_refuses_a_bad_file_as_check_does(tmp_path: Path) -> None:
    path = written(tmp_path, "server: {wrokers: 2}\n")
    code, out, err = run("serve", "--config", path, "--data-dir", str(tmp_path / "data"))
    assert (code, out) == (1, "")
    assert f"{path}:1: server.wrokers" in err
    assert not (tmp_path / "data").exists()


def test_a_busy_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("serve", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert (code, out) == (1, "")
    assert err == f"gateway: port {port} on 127.0.0.1 is in use; choose another with --port (0 takes a free one)\n"


async def test_a_second_gateway_on_one_data_directory_is_refused_in_a_sentence(remote: Gateway) -> None:
    code, out, err = run("serve", "--port", "0", "--data-dir", str(remote.data_dir))
    assert (code, out) == (1, "")
    assert err.startswith(
        f"gateway: another gateway (pid {remote.process.pid}) uses the data directory {remote.data_dir}"
    )
    assert (await remote.get("/ready")).status == 200
