"""E: how many processors this process may use, and so how many workers a gateway has that names no number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_WORKERS = 8
"""Unless more are asked for: each takes memory, and a smaller share of every limit."""

_V2 = ""
"""The name of the one hierarchy of version 2 in /proc/self/cgroup."""


def processors(root: Path = Path("/")) -> int:
    """Whole processors: as many as its affinity names, or fewer where a control group's quota allows less; 1 at least.

    Quotas of control groups hold for all groups within, so each one up to the top is looked at (Linux, cgroup-v2 and
    sched-bwc). `root` is where proc and sys are.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([there, *_quotas(root)])))


def default_workers() -> int:
    """One a processor, MOST_WORKERS at most."""
    return min(processors(), MOST_WORKERS)


def _quotas(root: Path) -> Iterator[float]:
    for line in _words(root / "proc/self/cgroup", "\n"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == _V2:
            top = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            top = root / "sys/fs/cgroup" / controllers
        else:
            continue
        inner = top / path.lstrip("/")
        # Within a container the path may be the host's, which is not there: then the top is the container's own.
        for folder in (inner, *inner.parents):
            yield from _quota(folder)
            if folder == top:
                break


def _quota(folder: Path) -> Iterator[float]:
    """Processors that one group may use; nothing where it has no bound."""
    told = _words(folder / "cpu.max") or [
        *_words(folder / "cpu.cfs_quota_us"),
        *_words(folder / "cpu.cfs_period_us"),
    ]
    match told:
        case [quota, period] if quota.isdigit() and period.isdigit() and int(period):
            yield int(quota) / int(period)


def _words(path: Path, separator: str | None = None) -> list[str]:
    """What a file says; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").split(separator)
    except OSError:
        return []
