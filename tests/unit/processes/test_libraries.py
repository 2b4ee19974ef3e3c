from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.processes.libraries import AIOHTTP_FLOOR, installed_misfits, misfits

ROOT = Path(__file__).parents[3]
CASES = [
    ("3.14.5", True, True, ()),
    ("3.15.0rc1", True, True, ()),
    ("4.0.0a2", True, True, ()),
    ("3.14.4", True, True, ("install 3.14.5 or later",)),
    ("3.9.2", True, True, ("install 3.14.5 or later",)),
    ("3.14.5", False, True, ("AIOHTTP_NO_EXTENSIONS",)),
    ("3.14.5", True, False, ("install hiredis",)),
    ("3.14.4", False, False, ("3.14.5", "wheel", "hiredis")),
]


@pytest.mark.parametrize(("version", "parses", "reads", "parts"), CASES)
def test_what_is_unfit_is_named_with_a_remedy(
    version: str, parts: tuple[str, ...], *, parses: bool, reads: bool
) -> None:
    found = misfits(version, parses_in_c=parses, reads_replies_in_c=reads)
    assert len(found) == len(parts)
    assert all(part in sentence for part, sentence in zip(parts, found, strict=True))


def test_what_is_installed_here_is_fit() -> None:
    assert installed_misfits() == []


def test_the_floor_is_that_of_the_package() -> None:
    (floor,) = re.findall(r'"aiohttp>=([\d.]+),', (ROOT / "pyproject.toml").read_text())
    assert tuple(map(int, floor.split("."))) == AIOHTTP_FLOOR


def test_a_worker_does_not_serve_with_the_python_parser() -> None:
    program = "from gateway.processes.libraries import installed_misfits; print(*installed_misfits())"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"AIOHTTP_NO_EXTENSIONS": "1"}, capture_output=True, text=True, check=True
    )
    assert "reads HTTP in Python" in done.stdout
