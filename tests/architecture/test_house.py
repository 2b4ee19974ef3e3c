from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "helpers", "common", "core", "manager", "handler"}
LONGEST_FILE = 300
LONGEST_FUNCTION = 60
USUAL_FUNCTION = 40
IMPURE = {"asyncio", "time", "random", "secrets", "logging", "os", "socket", "pathlib", "structlog", "aiohttp", "redis"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def grade(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.partition(":")[0]


def runtime_imports(path: Path) -> set[str]:
    """Top-level names of what a module imports when it runs (not under TYPE_CHECKING)."""
    found: set[str] = set()

    def visit(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import):
                    found.update(alias.name.partition(".")[0] for alias in inner.names)
                elif isinstance(inner, ast.ImportFrom) and inner.module:
                    found.add(inner.module.partition(".")[0])

    visit(ast.parse(path.read_text()).body)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_states_its_grade_in_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    first = docstring.splitlines()[0]
    assert re.match(r"^[PCE]: .*\.$", first), first


@pytest.mark.parametrize("path", [path for path in SOURCES if grade(path) == "P"], ids=relative)
def test_a_pure_module_imports_nothing_that_meets_the_outside(path: Path) -> None:
    assert not runtime_imports(path) & IMPURE


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def function_lengths() -> list[tuple[int, str]]:
    lengths: list[tuple[int, str]] = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lengths.append((node.end_lineno - node.lineno + 1, f"{relative(path)}:{node.name}"))
    return sorted(lengths)


def test_functions_are_short() -> None:
    lengths = function_lengths()
    assert lengths[-1][0] <= LONGEST_FUNCTION, lengths[-1]
    assert lengths[len(lengths) * 95 // 100][0] <= USUAL_FUNCTION


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [relative(path) for path in SOURCES if path.stem in FORBIDDEN_NAMES]


def test_every_ruff_ignore_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    settings = tomllib.loads(text)["tool"]["ruff"]["lint"]
    assert settings["select"] == ["ALL"]
    ignored = list(settings["ignore"])
    for rules in settings["per-file-ignores"].values():
        ignored += rules
    for rule in ignored:
        assert re.search(rf'"{rule}",?\s+# \S+', text), rule


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_every_suppression_has_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.search(r"# noqa", line) and "test_house" not in path.name:
            assert re.search(r"# noqa: [A-Z0-9, ]+ - \S+", line), f"{relative(path)}:{number}"
