from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).with_name("audit.py")
_spec = importlib.util.spec_from_file_location("audit_of_the_lock", FILE)
assert _spec is not None
assert _spec.loader is not None
audit: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

PROJECT = {"dependencies": ["one>=1,<2"], "optional-dependencies": {"local": ["two"], "s3": [], "gcs": []}}
HASH = f"    --hash=sha256:{'0' * 64}"
GOOD = f"# a comment\none==1.5 \\\n{HASH}\n    # via us\ntwo==3 ; python_version < '3.12' \\\n{HASH} \\\n{HASH}\n"


def test_the_lock_is_whole_and_as_the_project_wants_it() -> None:
    project = tomllib.loads((audit.ROOT / "pyproject.toml").read_text())["project"]
    assert audit.problems(audit.LOCK.read_text(), project) == []
    assert audit.problems(GOOD, PROJECT) == []


WRONG = [
    (GOOD.replace("one==1.5", "one>=1.5"), "line 2: neither"),
    (GOOD + "https://example.com/a.whl\n", "neither a pinned package nor its hash: https://"),
    (GOOD + "three @ git+https://example.com/a\n", "neither a pinned"),
    (GOOD + "-e .\n", "neither a pinned"),
    (GOOD + "--extra-index-url https://example.com\n", "neither a pinned"),
    (GOOD + "four==1\n", "four: no hash"),
    (GOOD.replace("sha256:", "md5:"), "neither a pinned"),
    (GOOD + GOOD.partition("\n")[2], "one a second time"),
    (GOOD.replace("one==1.5", "one==2.0"), "one 2.0: pyproject.toml wants"),
    (GOOD.replace("one==", "uno=="), "one: in pyproject.toml, not in the lock"),
]


@pytest.mark.parametrize(("lock", "part"), WRONG)
def test_what_is_wrong_is_said(lock: str, part: str) -> None:
    assert any(part in line for line in audit.problems(lock, PROJECT))


def _program(folder: Path, says: str, fails: str = "") -> Path:
    file = folder / "pip-audit"
    (folder / "said").write_text(says)
    file.write_text(f"#!/bin/sh\ncat '{folder}/said'\necho '{fails}' >&2\nexit 1\n")
    file.chmod(0o700)
    return file


def test_nobody_to_ask_is_no_failure_and_what_is_known_is_one(tmp_path: Path) -> None:
    assert audit.known_against(tmp_path / "none") == "pip-audit is not installed"
    assert "in reach (no route)" in audit.known_against(_program(tmp_path, "", "no route"))
    clean: Any = {"dependencies": [{"name": "one", "version": "1.5", "vulns": []}, {"name": "x", "skip_reason": "y"}]}
    assert audit.known_against(_program(tmp_path, json.dumps(clean))) == []
    clean["dependencies"][0]["vulns"] = [{"id": "CVE-1", "fix_versions": ["1.6"]}]
    assert audit.known_against(_program(tmp_path, json.dumps(clean))) == ["one 1.5: CVE-1, mended in 1.6"]
