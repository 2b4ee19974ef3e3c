"""E: hooks for pytest: unit and wire tests come first, and what is measured of pure modules ends with them."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fakes.probes import Probes

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parents[1]
OWN = (TESTS / "unit", TESTS / "wire")
"""Tests that count for the coverage of pure modules; others go through them by the way."""

MEASURE = "GATEWAY_TESTS_MEASURE"
"""Set by `make test` and `make check`, which run all of those."""

PROBES = Probes("gateway")
if os.environ.get(MEASURE):
    PROBES.install()

SEEN: list[dict[str, list[int]]] = []
"""What was measured, once that has ended: the lines that ran, by file."""


def _place(item: pytest.Item) -> int:
    if any(item.path.is_relative_to(folder) for folder in OWN):
        return 0
    return 1 if item.get_closest_marker("last_measured") else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def pytest_collection_finish() -> None:
    """Ten thousand tests and all modules stay till the end: no garbage collection need look at them again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.environ.get(MEASURE) and not SEEN and _place(item):
        SEEN.append(PROBES.lines())
