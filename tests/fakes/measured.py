"""E: hooks for pytest: unit and wire tests come first, and what `coverage run` sees ends with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import coverage

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parents[1]
OWN = (TESTS / "unit", TESTS / "wire")
"""Tests that count for the coverage of pure modules; others go through them by the way."""


def _place(item: pytest.Item) -> int:
    if any(item.path.is_relative_to(folder) for folder in OWN):
        return 0
    return 1 if item.get_closest_marker("last_measured") else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


SEEN: list[coverage.Coverage] = []
"""What was measured, once that has ended."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    measured = coverage.Coverage.current()
    if measured is not None and _place(item):
        measured.stop()
        SEEN.append(measured)
