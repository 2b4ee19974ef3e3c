"""A million requests: hits, misses, lists and errors; memory, file descriptors and tasks of the worker. `make soak`.

python bench/soak.py [--requests 1000000] [--minutes 15]. Warm is when a fifth of the requests is done and the
in-process layer, here of 16 MB, is full. From then on resident memory may rise by less than 1 % (a straight line
through all samples, over the whole rest), and file descriptors and tasks may not rise at all.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measure import tell
from performance import cases, results, servers
from performance.checks import check
from performance.load import MARK, Load, drive
from performance.upstream import upstream

if TYPE_CHECKING:
    from performance.servers import Server

SLICE_SECONDS = 10.0
SAMPLE_SECONDS = 0.5
WARM_SHARE = 0.2
MOST_RISE = 0.01
CHANCE = 2
NEW_OF_TEN = 2
ELSEWHERE = "Bearer jina_" + "x" * 60
MIXTURE = Load(
    cases.ONE.body,
    connections=64,
    others=(
        (12, "-", cases.NEW.body),
        (3, "-", cases.embeddings([f"{cases.TEXT}, number {at}{f' {MARK}' * (at < NEW_OF_TEN)}" for at in range(10)])),
        (2, "-", json.dumps({"model": servers.MODEL, "input": [], "dimensions": 0})),
        (2, ELSEWHERE, cases.ONE.body),
        (1, "-", json.dumps({"model": "nobody-has-it", "input": ["a text"]})),
    ),
)  # fmt: skip
"""In percent: 80 hits, 12 misses, 3 lists with two new texts each, 5 that are refused: 422, 401, 400."""


class Watch(threading.Thread):
    """Looks at the worker twice a second."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._over = threading.Event()
        (self._worker,) = server.program.workers()
        self.samples: list[dict[str, float]] = []

    def run(self) -> None:
        """Until `end`."""
        began = time.monotonic()
        while not self._over.wait(SAMPLE_SECONDS):
            self.samples.append({"seconds": time.monotonic() - began, **self.look()})

    def look(self) -> dict[str, float]:
        """Resident memory in MB, file descriptors, tasks."""
        with self._worker.oneshot():
            return {
                "rss_mb": self._worker.memory_info().rss / 1e6,
                "fds": self._worker.num_fds(),
                "tasks": self.tasks(),
            }

    def tasks(self) -> float:
        """As the worker's own metric has them."""
        url = f"http://127.0.0.1:{self._server.program.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found = re.search(r"^gateway_tasks (\S+)", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def end(self) -> None:
        """No more samples."""
        self._over.set()
        self.join()


def rise(samples: list[dict[str, float]], name: str) -> float:
    """By which part of itself a figure rose from the first sample to the last, by the straight line through all."""
    seconds = np.array([sample["seconds"] for sample in samples])
    values = np.array([sample[name] for sample in samples])
    slope, start = np.polyfit(seconds - seconds[0], values, 1)
    return float(slope * (seconds[-1] - seconds[0]) / start)


def thinned(samples: list[dict[str, float]]) -> list[dict[str, float]]:
    """About 200 of them, for a plot."""
    return samples[:: len(samples) // 200 + 1]


def is_flat(counts: list[float]) -> bool:
    """Whether the second half has no more than the first, but for chance."""
    middle = (len(counts) + 1) // 2
    return len(counts) > 1 and max(counts[middle:]) <= max(counts[:middle]) + CHANCE


def settled(watch: Watch) -> dict[str, float]:
    """What is there when nobody asks: open connections and running calls would be chance."""
    time.sleep(2.0)
    return watch.look()


def soak(server: Server, requests: int, minutes: float) -> dict[str, Any]:
    """Load in slices, with a quiet moment between, in which descriptors and tasks are counted."""
    watch = Watch(server)
    watch.start()
    deadline = time.monotonic() + minutes * 60
    sent = refused = broken = 0
    quiet, costs = [], []
    warm_from = 0.0
    while sent < requests and time.monotonic() < deadline:
        run = drive(server, MIXTURE, SLICE_SECONDS)
        sent, refused, broken = sent + run.requests, refused + run.refused, broken + run.broken
        costs.append(run.cpu_us)
        quiet.append({"requests": sent, **settled(watch)})
        if not warm_from and sent >= requests * WARM_SHARE:
            warm_from = watch.samples[-1]["seconds"]
        tell(f"  {sent:,} sent, {refused:,} refused, {broken} broken; {json.dumps(results.rounded(quiet[-1]))}")
    watch.end()
    warm = [sample for sample in watch.samples if sample["seconds"] >= warm_from]
    held = [entry for entry in quiet if entry["requests"] >= requests * WARM_SHARE]
    return {
        "requests": sent,
        "refused": refused,
        "broken": broken,
        "cpu_us": statistics.median(costs),
        "rss_rise": rise(warm, "rss_mb") if len(warm) > 2 else None,  # noqa: PLR2004 - a line wants three points
        "rss_mb": warm[-1]["rss_mb"],
        "fds": [entry["fds"] for entry in held],
        "tasks": [entry["tasks"] for entry in held],
        "curve": [[round(one["seconds"], 1), round(one["rss_mb"], 1)] for one in thinned(watch.samples)],
    }  # fmt: skip


def main() -> int:
    """1 if not all requests were sent, or if something rises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10**6)
    parser.add_argument("--minutes", type=float, default=15.0, help="the soak ends after so long")
    options = parser.parse_args()
    before = results.circumstances()
    with tempfile.TemporaryDirectory(prefix="gwk", dir="/tmp") as name, upstream(Path(name), 0) as behind:
        config = servers.gateway_config(behind.port, cache={"memory": 16_777_216})
        with servers.gateway(Path(name), behind, config=config) as server:
            check(server, cases.ONE, cases.ONE.body)
            found = soak(server, options.requests, options.minutes)
    risen = found["rss_rise"] is None or found["rss_rise"] >= MOST_RISE
    flat = all(is_flat(found[name]) for name in ("fds", "tasks"))
    results.save("soak", before | results.rounded(found | {"flat": flat}))
    tell(f"memory rose by {found['rss_rise']}, descriptors {found['fds']}, tasks {found['tasks']}")
    return int(found["requests"] < options.requests or risen or not flat or bool(found["broken"]))


if __name__ == "__main__":
    sys.exit(main())
