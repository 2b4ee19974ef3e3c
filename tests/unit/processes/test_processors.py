from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from gateway.processes import processors as module
from gateway.processes.processors import MOST_WORKERS, default_workers, processors

if TYPE_CHECKING:
    from pathlib import Path

V1 = "5:cpuset:/\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
V2 = "0::/system.slice/gateway.service\n"


@pytest.mark.parametrize(
    ("groups", "files", "affinity", "expected"),
    [
        ("", {}, 12, 12),
        (V2, {}, 4, 4),
        (V2, {"system.slice/gateway.service/cpu.max": "300000 100000\n"}, 12, 3),
        (V2, {"system.slice/gateway.service/cpu.max": "max 100000\n"}, 12, 12),
        (V2, {"system.slice/gateway.service/cpu.max": "250000 100000\n"}, 12, 2),
        (V2, {"system.slice/gateway.service/cpu.max": "50000 100000\n"}, 12, 1),
        (V2, {"system.slice/gateway.service/cpu.max": "300000 100000\n", "system.slice/cpu.max": "2 1"}, 12, 2),
        (V2, {"system.slice/gateway.service/cpu.max": "900000 100000\n"}, 2, 2),
        ("0::/\n", {"cpu.max": "500000 100000\n"}, 12, 5),
        (
            V1,
            {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1", "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "1"},
            12,
            12,
        ),
        (V1, {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "8", "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "2"}, 12, 4),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "6", "cpu,cpuacct/cpu.cfs_period_us": "2"}, 12, 3),
        (V2, {"system.slice/gateway.service/cpu.max": "nonsense"}, 7, 7),
        (V2, {"system.slice/gateway.service/cpu.max": "5 0"}, 7, 7),
    ],
)
def test_as_many_as_affinity_and_control_groups_allow(  # noqa: PLR0913, PLR0917 - a row of the table, and two fixtures
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], affinity: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)))
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert processors(tmp_path) == expected


@pytest.mark.parametrize(("there", "expected"), [(1, 1), (3, 3), (64, MOST_WORKERS)])
def test_a_worker_a_processor_but_not_without_end(monkeypatch: pytest.MonkeyPatch, there: int, expected: int) -> None:
    monkeypatch.setattr(module, "processors", lambda: there)
    assert default_workers() == expected


def test_this_machine_has_one_at_least() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)
