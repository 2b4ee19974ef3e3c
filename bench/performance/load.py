"""A load by wrk, and what it cost the server that bore it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from performance.programs import LOAD_CORE, pinned

if TYPE_CHECKING:
    from performance.servers import Server

SCRIPT = Path(__file__).with_name("wrk.lua")
SETTLE_SECONDS, SETTLED_WITHIN, IDLE_SHARE = 5.0, 0.3, 0.1
"""A server is at rest that used a tenth of a core for so long."""

MARK = "@@"
"""Stands for a number in a body or a key: a new one, or a random one of a range."""


@dataclass(frozen=True)
class Load:
    """What is sent: `body` as text, to `path`, over so many connections; `span` 0 makes MARK a new number.

    `others` are further bodies in their weights (percent, of which `body` has the rest), each under its own key.
    """

    body: str
    path: str = "/v1/embeddings"
    connections: int = 32
    span: int = 0
    others: tuple[tuple[int, str, str], ...] = ()

    def lines(self) -> str:
        """As wrk.lua reads them."""
        rest = 100 - sum(weight for weight, _, _ in self.others)
        return "".join(f"{weight}\t{key}\t{body}\n" for weight, key, body in ((rest, "-", self.body), *self.others))


@dataclass(frozen=True)
class Run:
    """One run: CPU in µs a request of the whole process tree, answers a second, ms, MB of resident memory.

    `refused` are answers of status 400 and more, `broken` connections that failed or waited too long, `others` the
    share of the machine that went to processes which are no part of the measurement.
    """

    requests: int
    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    rss_mb: float
    refused: int
    broken: int
    others: float
    parts: dict[str, float]


def drive(server: Server, load: Load, seconds: float) -> Run:
    """Send `load` for so long, and look at the CPU time of everything before and after."""
    watched = [server.program, *server.helpers]
    _settle(server)
    began, machine_before = time.monotonic(), _machine_seconds()
    ours_before = sum(program.cpu_seconds() for program in watched) + _children_seconds()
    parts_before = server.program.parts()
    said = _wrk(server, load, seconds)
    parts = server.program.parts()
    ours = sum(program.cpu_seconds() for program in watched) + _children_seconds() - ours_before
    spent = _machine_seconds() - machine_before
    whole = (time.monotonic() - began) * (os.cpu_count() or 1)
    requests = max(1, said["requests"])
    costs = {name: (used - parts_before.get(name, 0.0)) / requests * 1e6 for name, used in parts.items()}
    return Run(
        requests=said["requests"],
        cpu_us=sum(costs.values()),
        rate=requests / (said["microseconds"] / 1e6),
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
        rss_mb=server.program.rss_mb(),
        refused=said["refused"],
        broken=said["broken"],
        others=max(0.0, (spent - ours) / whole),
        parts=costs,
    )


def _settle(server: Server) -> None:
    """Wait until what an earlier load left to do is done, some seconds at most."""
    deadline, before = time.monotonic() + SETTLE_SECONDS, server.program.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(SETTLED_WITHIN)
        now = server.program.cpu_seconds()
        if now - before < SETTLED_WITHIN * IDLE_SHARE:
            return
        before = now


def _wrk(server: Server, load: Load, seconds: float) -> dict[str, int]:
    stem = f"{time.time_ns():x}"
    headers = [word for name, value in server.headers.items() for word in ("-H", f"{name}: {value}")]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(load.lines())
        body.flush()
        command = [
            *("wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"),
            *("-s", str(SCRIPT), *headers, f"http://127.0.0.1:{server.program.port}{load.path}"),
            *("--", body.name, stem, str(load.span), str(time.time_ns() % 2**31)),
        ]
        done = subprocess.run(
            pinned(LOAD_CORE, command), capture_output=True, text=True, check=False, timeout=seconds + 60
        )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            found: dict[str, int] = json.loads(line.removeprefix("RESULT "))
            return found
    raise RuntimeError(f"wrk failed: {done.stdout}{done.stderr}")


def _children_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended: wrk."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _machine_seconds() -> float:
    """CPU time that all processes have used since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "softirq", 0.0) + getattr(times, "irq", 0.0))
