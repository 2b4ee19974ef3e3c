"""A million admission decisions by four real processes on one real store, judged by the journals they keep themselves.

Each bar, and a mutant that breaks it:

| bar | mutant |
| --- | --- |
| no true minute holds more than the limit | exchange.lua: `free` without `sum`; leases.py: no look in `taken_at_once` |
| exactly the limit is admitted, nothing stranded | lease.py: `state` trims to the share although called back |
| never more at once than slots | exchange.lua: as above |
| every slot can be used, wherever it was held | exchange.lua: nothing published: idle slots come with the next tick |
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fakes.admitting_process import ENTRY, Demand, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROCESSES = 4
WINDOW_NS = 60 * 10**9
PATIENCE = 120.0
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Journal:
    """All processes' decisions of one meter, by the time at which they were made."""

    entered: NDArray[np.int64]
    left: NDArray[np.int64]
    tokens: NDArray[np.int64]
    decisions: int

    def worst_window(self) -> tuple[int, int]:
        """Most requests and most tokens admitted in any true minute."""
        total = np.concatenate(([0], np.cumsum(self.tokens)))
        first = np.searchsorted(self.entered, self.entered - WINDOW_NS, side="right")
        last = np.arange(1, self.entered.size + 1)
        return int((last - first).max()), int((total[last] - total[first]).max())

    def most_at_once(self) -> int:
        """Calls inside at any moment; one that leaves makes room for one that enters at the same instant."""
        moments = np.concatenate((self.left, self.entered))
        steps = np.concatenate((np.full(self.left.size, -1), np.full(self.entered.size, 1)))
        return int(np.cumsum(steps[np.argsort(moments, kind="stable")]).max())


def run(url: str, folder: Path, tasks: int, *demands: Demand) -> dict[str, Journal]:
    """Let the processes meet the demands at the same time; a journal for each subject."""
    plans = [Plan(url, str(folder / f"{number}"), PROCESSES, tasks, number, demands) for number in range(PROCESSES)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "fakes.admitting_process", plan.to_json()],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for plan in plans
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.wait(PATIENCE) for process in started] == [0] * PROCESSES
    finally:
        for process in started:
            process.kill()
            process.communicate()
    entries = np.concatenate([np.fromfile(plan.journal, np.int64).reshape(-1, len(ENTRY)) for plan in plans])
    subjects = np.array([demand.subject for demand in demands])[entries[:, 0]]
    return {str(subject): _of(entries[subjects == subject]) for subject in np.unique(subjects)}


def _of(entries: NDArray[np.int64]) -> Journal:
    admitted = entries[entries[:, 4] == 1]
    _, entered, left, tokens, _ = admitted[np.argsort(admitted[:, 1])].T
    return Journal(entered, left, tokens, len(entries))


def test_a_million_decisions_admit_exactly_the_limit(valkey_url: str, tmp_path: Path) -> None:
    requests, tokens = 450_000, 9_500_000
    sizes = Demand("tokens", (None, tokens, None), 125_000, (1, 2, 5, 20, 50, 90))
    journals = run(
        valkey_url,
        tmp_path,
        64,
        Demand("requests", (requests, None, None), 125_000),
        sizes,
        replace(sizes, calls=500, sizes=(1,)),  # what is left is less than any of the large ones
    )
    assert sum(journal.decisions for journal in journals.values()) >= 10**6
    assert journals["requests"].worst_window()[0] == requests
    assert journals["tokens"].worst_window()[1] == tokens


@pytest.mark.parametrize("slots", [5, 40])
def test_never_more_at_once_than_there_are_slots(valkey_url: str, tmp_path: Path, slots: int) -> None:
    demand = Demand(f"{slots} slots", (None, None, slots), 1_000, seconds=0.005)
    most = run(valkey_url, tmp_path, 16, demand)[demand.subject].most_at_once()
    # 16 processes on a machine that is busy otherwise do not come to use many at one instant.
    assert min(slots, 16) <= most <= slots
