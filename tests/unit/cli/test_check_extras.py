"""E: `gateway check` says what is to be installed for what a configuration wants."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from gateway.cli import COMMANDS, build
from gateway.errors import StoreError
from gateway.observe import otlp
from gateway.stores import objects

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from pathlib import Path

TEXT = """
jobs:
  files: s3://bucket/jobs
  inputs:
    - gs://bucket/in/
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "gateway.yaml"
    written.write_text(TEXT)
    return written


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name in {"s3fs", "gcsfs"} else importlib.util.find_spec(name)

    monkeypatch.setattr(objects, "find_spec", find)


@pytest.mark.usefixtures("without_extras")
def test_a_missing_package_is_named_with_its_remedy(path: Path) -> None:
    result = CliRunner().invoke(build(COMMANDS), ["check", "--config", str(path)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{path}:3: jobs.files: needs a package that is not installed; install it: pip install 'gateway[s3]'",
        f"{path}:5: jobs.inputs.0: needs a package that is not installed; install it: pip install 'gateway[gcs]'",
        "2 problems found",
    ]


def test_with_the_packages_nothing_is_wrong(path: Path) -> None:
    assert CliRunner().invoke(build(COMMANDS), ["check", "--config", str(path)]).exit_code == 0


@pytest.mark.usefixtures("without_extras")
def test_a_storage_without_its_package_says_so() -> None:
    with pytest.raises(StoreError, match=r"needs the extra `gateway\[gcs\]`"):
        objects.filesystem("gs")


def test_libraries_that_no_worker_starts_with_are_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker says at its start, before anything is replaced by it."""
    monkeypatch.setattr("aiohttp.__version__", "3.14.4")
    result = CliRunner().invoke(build(COMMANDS), ["check", "--config", str(path)])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "aiohttp 3.14.4 has known advisories; install 3.14.5 or later",
        "1 problem found",
    ]


def test_traces_name_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "gateway.yaml"
    written.write_text("traces:\n  endpoint: http://collector:4318\n")
    assert CliRunner().invoke(build(COMMANDS), ["check", "--config", str(written)]).exit_code == 0
    monkeypatch.setattr(otlp, "find_spec", lambda _: None)
    result = CliRunner().invoke(build(COMMANDS), ["check", "--config", str(written)])
    assert result.exit_code == 1
    remedy = "needs a package that is not installed; install it: pip install 'gateway[otel]'"
    assert result.stderr.splitlines()[0] == f"{written}:2: traces.endpoint: {remedy}"
