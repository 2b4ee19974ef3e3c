"""E: `gateway check` and the frame around the commands."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import build
from gateway.cli.load import load_config
from gateway.config.addresses import address
from gateway.config.problem import ConfigError
from gateway.config.schema import Config

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

KEY = "5ecret-search-key"
MINIMAL = """\
backends: {jina: {dialect: jina, url: https://user:pass@api.jina.ai/v1, key: ${JINA_API_KEY}}}
tenants: {search: {tier: tier1, keys: [${SEARCH_KEY}, another-key]}, idle: {}}
store: {url: "rediss://me:hidden@redis.example:6380/1?password=hidden"}
webhooks:
  - {url: "https://me:hidden@ops.example:8443/hidden", secret: "hidden-0123456789-abcdef", events: [budget.spent]}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GATEWAY_CONFIG", "JINA_API_KEY", "SEARCH_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "gateway.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(("gateway.cli.check",)), ["check", *arguments])


def test_a_usable_file_is_summed_up_without_secrets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", "upstream-key")
    monkeypatch.setenv("SEARCH_KEY", KEY)
    path.write_text(MINIMAL)
    result = run("--config", str(path))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{path}: usable, with 1 warning",
        "listens   http://127.0.0.1:8080, workers: one a processor",
        "data      gateway-data",
        "store     rediss://redis.example:6380/1 (not contacted)",
        "tenant    search: tier tier1, org default, keys: 2",
        "tenant    idle: tier free, org default, keys: 0",
        "backend   jina: jina, https://api.jina.ai/v1 (not contacted)",
        "models    25 served",
        "webhook   https://ops.example:8443: budget.spent (not contacted)",
    ]
    assert result.stderr.startswith(f"warning: {path}:2: tenants.idle: has no keys")


def test_keys_that_are_passed_through_are_no_tenants(path: Path) -> None:
    path.write_text(
        "server: {authentication: passthrough, passthrough_tier: tier1}\n"
        "backends: {jina: {dialect: jina, url: https://api.jina.ai}}\ntenants: {search: {keys: [key-of-search]}}\n"
    )
    result = run("--config", str(path))
    assert "tenant    each caller's own key, passed through, tier tier1" in result.stdout
    assert [line.split(";")[0] for line in result.stderr.splitlines()] == [
        f"warning: {path}:3: tenants.search: is nobody, since callers' own keys are passed through"
    ]


def test_problems_go_to_stderr_and_exit_with_1(path: Path) -> None:
    path.write_text("server: {prot: 1}\ntenants: {a: {keys: [short]}}\n")
    result = run("--config", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{path}:1: server.prot: unknown setting; did you mean `port`?",
        f"{path}:2: tenants.a.keys.0: too short; use at least 8 characters",
        "2 problems found",
    ]


def test_a_missing_file_exits_with_2(path: Path) -> None:
    result = run("--config", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{path}: cannot be read: No such file or directory; check --config or $GATEWAY_CONFIG\n"


def test_the_file_is_the_option_or_the_variable_or_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config(None).config == Config()
    path.write_text("server: {port: 1}")
    monkeypatch.setenv("GATEWAY_CONFIG", str(path))
    assert load_config(None).config.server.port == 1
    other = path.with_name("other.yaml")
    other.write_bytes(b"\xef\xbb\xbfserver: {port: 2}")
    assert load_config(other).config.server.port == 2
    monkeypatch.setenv("GATEWAY_CONFIG", str(path.with_name("none.yaml")))
    with pytest.raises(FileNotFoundError):
        load_config(None)


def test_a_file_that_is_not_text(path: Path) -> None:
    path.write_bytes(b"server:\n  host: \xff\n")
    with pytest.raises(ConfigError, match=r"gateway\.yaml:2: not UTF-8 text; save the file as UTF-8"):
        load_config(path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:p@h:1/0", "redis://h:1/0"),
        ("unix:///run/r.sock?password=p", "unix:///run/r.sock"),
        ("https://h/v1#p", "https://h/v1"),
        ("redis://:p/a?s#s@h:1/0", "redis://h:1/0"),
        ("embedded", "embedded"),
    ],
)
def test_an_address_is_shown_without_credentials(url: str, shown: str) -> None:
    assert address(url) == shown


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gateway ")


def test_help_needs_no_server(path: Path) -> None:
    script = (
        "import sys; from gateway.cli import COMMANDS, build; build(COMMANDS);"
        "print([name for name in ('aiohttp', 'redis', 'pydantic', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=path.parent)
    assert done.stdout == "[]\n"
