"""Fail unless every pure module is covered by the unit and wire tests alone (run after `coverage run`)."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import coverage

ROOT = Path(__file__).resolve().parents[2]
LEAST_PERCENT = 90.0


def is_pure(path: Path) -> bool:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("P:")


def main() -> int:
    data = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=str(ROOT / "pyproject.toml"))
    data.load()
    low: list[str] = []
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        if not is_pure(path):
            continue
        _, statements, _, missing, _ = data.analysis2(str(path))
        percent = 100.0 * (len(statements) - len(missing)) / len(statements) if statements else 100.0
        if percent < LEAST_PERCENT:
            low.append(f"{path.relative_to(ROOT)}: {percent:.0f} % covered by its own tests, lines {missing}")
    print("\n".join(low) or f"every pure module is covered to at least {LEAST_PERCENT:.0f} % by its own tests")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
