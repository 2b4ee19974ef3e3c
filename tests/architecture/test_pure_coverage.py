"""Every pure module is covered by the unit and wire tests alone: fakes.measured lets coverage see only those."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from fakes.measured import SEEN

ROOT = Path(__file__).resolve().parents[2]
LEAST_PERCENT = 90.0


def is_pure(path: Path) -> bool:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("P:")


@pytest.mark.last_measured
def test_every_pure_module_is_covered_by_its_own_tests() -> None:
    if not SEEN:
        pytest.skip("not run by coverage, as `make test` does")
    low: list[str] = []
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        if is_pure(path):
            _, statements, _, missing, _ = SEEN[0].analysis2(str(path))
            percent = 100.0 * (len(statements) - len(missing)) / len(statements) if statements else 100.0
            if percent < LEAST_PERCENT:
                low.append(f"{path.relative_to(ROOT)}: {percent:.0f} %, not lines {missing}")
    assert not low
