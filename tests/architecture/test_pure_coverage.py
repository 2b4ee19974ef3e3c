"""Every pure module is covered by the unit and wire tests alone: fakes.measured notes which lines those run."""

from __future__ import annotations

from pathlib import Path

import pytest
from coverage import Coverage
from fakes.measured import MEASURE, SEEN
from fakes.probes import is_pure

ROOT = Path(__file__).resolve().parents[2]
LEAST_PERCENT = 90.0


@pytest.mark.last_measured
def test_every_pure_module_is_covered_by_its_own_tests() -> None:
    if not SEEN:
        pytest.skip(f"without {MEASURE}, which `make test` sets")
    measured = Coverage(data_file=None, config_file=False)
    measured.get_data().add_lines(SEEN[0])
    low: list[str] = []
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        if is_pure(path.read_text()):
            _, statements, _, missing, _ = measured.analysis2(str(path))
            percent = 100.0 * (len(statements) - len(missing)) / len(statements) if statements else 100.0
            if percent < LEAST_PERCENT:
                low.append(f"{path.relative_to(ROOT)}: {percent:.0f} %, not lines {missing}")
    assert not low
