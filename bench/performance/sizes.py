"""What is no load case: memory of a worker, bytes of an entry, two workers beside one, time to start."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from performance import cases, servers
from performance.checks import check
from performance.load import Load, drive
from performance.programs import ROOT
from performance.upstream import VALUES, upstream
from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLOAT_BYTES = 4
CONNECTIONS = 64
STARTS = 5
REST_SECONDS = 5.0
"""After which a worker has given back what it needs under load only (app/slack.py)."""


def memory(folder: Path, seconds: float) -> dict[str, Any]:
    """Memory of a worker at its start, under misses and lists, at rest after them; bytes of an entry in the store."""
    with upstream(folder, 0) as behind, servers.gateway(folder, behind) as gateway:
        check(gateway, cases.ONE, cases.ONE.body)
        store = Redis(unix_socket_path=str(next(folder.glob("gateway-*")) / "data" / "run" / "store.sock"))
        sizes = [int(store.memory_usage(name, samples=0) or 0) for name in store.scan_iter(match=b"gw:c:*")]
        (worker,) = gateway.program.workers()
        idle = worker.memory_info().rss / 1e6
        peak = idle
        for load in (cases.NEW, cases.HALF, cases.LIST):
            drive(gateway, load, seconds)
            peak = max(peak, worker.memory_info().rss / 1e6)
        time.sleep(REST_SECONDS)
        busy = worker.memory_info().rss / 1e6
    return {
        "idle_mb": idle,
        "busy_mb": busy,
        "peak_mb": peak,
        "entry_bytes": statistics.mean(sizes),
        "entry_ratio": statistics.mean(sizes) / (VALUES * FLOAT_BYTES),
    }


def scale(folder: Path, seconds: float) -> dict[str, Any]:
    """Cached hits from one worker and from two, by the CPU time that a request takes of a worker."""
    load = Load(cases.ONE.body, connections=CONNECTIONS)
    costs: dict[int, list[float]] = {1: [], 2: []}
    busiest = []
    with upstream(folder, 0) as behind:
        for workers in (1, 2, 1, 2, 1, 2):
            with servers.gateway(folder, behind, workers=workers, core=None) as gateway:
                for _ in range(4 * workers):
                    check(gateway, load, load.body)
                drive(gateway, load, 1)
                before = [sum(worker.cpu_times()[:2]) for worker in gateway.program.workers()]
                costs[workers].append(drive(gateway, load, seconds).cpu_us)
                after = [sum(worker.cpu_times()[:2]) for worker in gateway.program.workers()]
                shares = [end - start for start, end in zip(before, after, strict=True)]
            if workers == len(before) > 1:
                busiest.append(max(shares) / sum(shares))
    one, two = (statistics.median(costs[workers]) for workers in (1, 2))
    return {"one_us": one, "two_us": two, "scale": 2 * one / two, "busiest_share": statistics.median(busiest)}


def start(folder: Path, _: float) -> dict[str, Any]:
    """From the command to the banner, with the private store and without the local model."""
    (folder / "config.yaml").write_text(json.dumps(servers.gateway_config(9)))
    times = []
    for number in range(STARTS):
        command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--config", str(folder / "config.yaml")]
        began = time.monotonic()
        with subprocess.Popen(
            [*command, "--data-dir", str(folder / f"data-{number}")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "serves on " in line:
                    times.append(time.monotonic() - began)
                    break
            process.terminate()
            process.communicate()
    return {"seconds": statistics.median(times), "slowest": max(times), "starts": len(times)}


MEASURES: dict[str, Callable[[Path, float], dict[str, Any]]] = {"memory": memory, "scale": scale, "start": start}
