"""The upstream of all measurements, built on the spot, and what it answers to a text."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from performance.programs import LOAD_CORE, free_port, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from performance.programs import Program

SOURCE = Path(__file__).with_name("upstream.c")
VALUES = 1_024
_VARIANTS = 16


def build(folder: Path) -> Path:
    """The program, made by gcc."""
    program = folder / "upstream"
    if not program.exists():
        subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    return program


@contextmanager
def upstream(folder: Path, milliseconds: int, values: int = VALUES) -> Iterator[Program]:
    """Running, on the core of the load."""
    port = free_port()
    command = [str(build(folder)), str(port), str(milliseconds), str(values)]
    program = start(command, port, folder / f"upstream-{port}.log", core=LOAD_CORE)
    try:
        yield program
    finally:
        program.stop()


def fnv(text: str) -> int:
    """FNV-1a of a text as JSON writes it, but for quotes: what the upstream goes by."""
    state = 2166136261
    for byte in json.dumps(text).replace('"', "").encode():
        state = (state ^ byte) * 16777619 % 2**32
    return state


def vector(text: str, values: int = VALUES) -> list[float]:
    """The vector that the upstream answers, as float32."""
    return _row(fnv(text) % _VARIANTS + 1, values)


@cache
def _row(state: int, values: int) -> list[float]:
    row = []
    for _ in range(values):
        state = (state * 1664525 + 1013904223) % 2**32
        row.append(((state >> 8) - (1 << 23)) / 268435456)
    return [float(value) for value in np.array(row, "<f4")]


def score(document: str) -> float:
    """A rerank document's score."""
    return round(fnv(document) % 1_000_000 / 1e6, 6)
