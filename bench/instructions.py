"""Instructions of one request of each kind, by callgrind: the same on a busy machine as on a quiet one.

`make bench-instructions` records the figure in bench/instructions.json, which tests/system/test_instructions.py
compares with. The App answers in one process, from the bytes on a connection to the bytes of the answer; the kernel's
part is not counted, and no background task runs. Figures depend on the build of Python: of two builds of 3.11 on one
machine one takes an eighth less.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from performance.store import running_store

BENCH = Path(__file__).resolve().parent
RECORDED = BENCH / "instructions.json"
REQUESTS = 96
SECONDS = 300
TOLERANCE = 0.05
AMONG_BUILDS = 0.25
"""As far as the figures of two builds of one minor version may be apart."""

TOOLS = ("valgrind", "gcc")


def missing() -> list[str]:
    """The tools that are not there."""
    return [tool for tool in TOOLS if which(tool) is None]


def place() -> str:
    """What a figure depends on."""
    return f"{platform.python_version()} {platform.machine()}"


def nearest() -> tuple[dict[str, int], float] | None:
    """The figures to compare with here, and how far ours may be from them; None where there are none of this Python."""
    figures = recorded()
    if place() in figures:
        return figures[place()], TOLERANCE
    minor, machine = f"{sys.version_info.major}.{sys.version_info.minor}.", platform.machine()
    like = [name for name in sorted(figures) if name.startswith(minor) and name.endswith(f" {machine}")]
    return (figures[like[-1]], AMONG_BUILDS) if like else None


def recorded() -> dict[str, dict[str, int]]:
    """Instructions a request, by place and kind (hot_path.py)."""
    found: dict[str, dict[str, int]] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    return found


def count(requests: int = REQUESTS) -> dict[str, int]:
    """Instructions of one request of each kind: the mean of so many."""
    with tempfile.TemporaryDirectory(prefix="gwi", dir="/tmp") as folder, running_store() as store_url:
        library = f"{folder}/counting.so"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-o", library, str(BENCH / "performance" / "counting.c")], check=True
        )
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"),
            *(sys.executable, str(BENCH / "hot_path.py"), store_url, library, str(requests)),
        ]
        env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS, env=env, cwd=BENCH.parent
        )
        counts = dict(filter(None, map(_counted, Path(folder).glob("out*"))))
    if done.returncode or not counts:
        raise RuntimeError(f"callgrind failed: {done.stderr[-3_000:]}")
    return {name: total // requests for name, total in sorted(counts.items())}


def _counted(dump: Path) -> tuple[str, int] | None:
    """Name and instructions of one dump that was asked for; None for the one at the end."""
    text = dump.read_text()
    name, total = (
        # Not `summary`: of a second dump that is what it has more than the first.
        re.search(what, text)
        for what in (r"Trigger: Client Request: (\S+)", r"\ntotals: (\d+)")
    )
    return (name[1], int(total[1])) if name and total else None


if __name__ == "__main__":
    COUNTS, BEFORE = count(), recorded().get(place(), {})
    for KIND, INSTRUCTIONS in COUNTS.items():
        print(f"{KIND}: {INSTRUCTIONS:,} instructions on Python {place()}; before {BEFORE.get(KIND, 0):,}")
    RECORDED.write_text(json.dumps({**recorded(), place(): COUNTS}, indent=1, sort_keys=True) + "\n")
