"""What a request costs as things grow: inputs of a call, entries of the store, tenants, connections.

`make bench-growth`, or python bench/growth.py [--only inputs_cached,inputs_stored,inputs_new,entries,tenants,
connections] [--seconds 3] [--minutes 10]. A point takes longer where so few requests would be chance. Cached entries
are put into the store directly, in the gateway's own form, as vectors of 64 values: a million of 4 kB would measure the
machine's memory. Results go to docs/performance/results.json, curve by curve.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import tell
from performance import cases, results, servers
from performance.checks import ask, check
from performance.load import MARK, Load, drive
from performance.seeding import SMALL, seed
from performance.upstream import upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from performance.load import Run
    from performance.servers import Server

INPUTS = (1, 4, 16, 64, 256, 1_024, 2_048)
ENTRIES = (1, 100, 10_000, 100_000, 1_000_000)
TENANTS = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = (1, 10, 100, 300, 1_000)
SMALL_VALUES = 64
WARM_SECONDS = 1.0
ENOUGH = 60
"""Requests that make a point, if LONGEST seconds are enough for them."""

LONGEST = 20.0
ROUNDS = 3
"""In so many the points of a curve of inputs are measured in turn, and the middle counts: the machine's speed changes
from minute to minute, and would tell one point from the next.
"""

ROOMY = 2**26
"""Bytes of `cache.memory` that hold a list of 2,048 vectors of 1,024 values with their JSON, which are 33 MB."""

ACQUAINTED = 1_000
"""Tenants for each second before: a tenant's first call of a worker asks the store for its lease."""

Figures = list[dict[str, Any]]


def point(server: Server, load: Load, seconds: float, number: int, warm: float = WARM_SECONDS) -> dict[str, Any]:
    """One figure of a curve."""
    drive(server, load, warm)
    return _told(number, [drive(server, load, seconds)])


def _told(number: int, runs: list[Run]) -> dict[str, Any]:
    """The middle one of some runs of a point, and all that failed."""
    run = sorted(runs, key=attrgetter("cpu_us"))[len(runs) // 2]
    refused, broken = sum(one.refused for one in runs), sum(one.broken for one in runs)
    tell(f"  {number:,}: {run.cpu_us:,.0f} µs, {run.rate:,.0f} requests/s, {refused} refused, {broken} broken")
    figures = {"n": number, "cpu_us": run.cpu_us, "p99_ms": run.p99_ms, "rate": run.rate, "others": run.others}
    return results.rounded(figures) | {"refused": refused, "broken": broken}


def inputs_cached(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many texts, all held in the process."""
    yield from _inputs(folder, seconds, "", {"memory": ROOMY})


def inputs_stored(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many texts, all in the store and nowhere else."""
    yield from _inputs(folder, seconds, "", {"memory": 0})


def inputs_new(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many texts, all new."""
    yield from _inputs(folder, seconds, MARK, {})


def _inputs(folder: Path, seconds: float, mark: str, cache: dict[str, int]) -> Generator[dict[str, Any]]:
    with upstream(folder, 0) as behind:
        config = servers.gateway_config(behind.port, cache=cache)
        with servers.gateway(folder, behind, config=config) as gateway:
            loads = {number: _load_of(number, mark) for number in INPUTS}
            times = {number: _warm(gateway, load, seconds) for number, load in loads.items()}
            rounds = [
                {number: drive(gateway, load, times[number] / ROUNDS) for number, load in loads.items()}
                for _ in range(ROUNDS)
            ]
            for number in INPUTS:
                yield _told(number, [runs[number] for runs in rounds])


def _load_of(number: int, mark: str) -> Load:
    body = cases.embeddings([f"{cases.TEXT}, number {at} {mark}".strip() for at in range(number)])
    return Load(body, connections=max(1, min(32, 256 // number)))


def _warm(server: Server, load: Load, seconds: float) -> float:
    """Check the answer, acquaint the server with the load, and say how many seconds of it make a point."""
    check(server, load, load.body.replace(MARK, "probe"))
    return max(seconds, min(LONGEST, ENOUGH / drive(server, load, WARM_SECONDS).rate))


def entries(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of one text out of so many that are in the store, and nowhere else."""
    for number in ENTRIES:
        model = {SMALL: {"backend": "jina", "dimensions": SMALL_VALUES}}
        with upstream(folder, 0, SMALL_VALUES) as behind:
            config = servers.gateway_config(behind.port, cache={"memory": 0}, models=model)
            with servers.gateway(folder, behind, config=config) as gateway:
                socket = next(folder.glob("gateway-*")) / "data" / "run" / "store.sock"
                seed(f"unix://{socket}", config, number, SMALL_VALUES)
                load = Load(json.dumps({"model": SMALL, "input": [f"{cases.TEXT} {MARK}"]}), span=number)
                asked = ask(behind_count := servers.Server("upstream", behind), Load("", "/count"), "")
                check(gateway, load, load.body.replace(MARK, str(number - 1)))
                yield point(gateway, load, seconds, number)
                if ask(behind_count, Load("", "/count"), "") != asked:
                    tell("  NOT ALL OF THESE WERE HITS")


def tenants(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many tenants by chance, each with limits of its own; all of one org, so the text is cached."""
    for number in TENANTS:
        named = {f"t{at}": {"tier": "bench", "keys": [f"bench-key-{at}-0123456789"]} for at in range(number)}
        with upstream(folder, 0) as behind:
            config = servers.gateway_config(behind.port, tenants=named)
            with servers.gateway(folder, behind, config=config) as gateway:
                headers = {**servers.JSON, "Authorization": f"Bearer bench-key-{MARK}-0123456789"}
                everybody = servers.Server("gateway", gateway.program, headers, gateway.helpers)
                one = {**headers, "Authorization": headers["Authorization"].replace(MARK, "0")}
                check(servers.Server("gateway", gateway.program, one), cases.ONE, cases.ONE.body)
                warm = max(WARM_SECONDS, number / ACQUAINTED)
                yield point(everybody, Load(cases.ONE.body, span=number), seconds, number, warm)


def connections(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Cached hits over so many connections."""
    with upstream(folder, 0) as behind, servers.gateway(folder, behind) as gateway:
        check(gateway, cases.ONE, cases.ONE.body)
        for number in CONNECTIONS:
            yield point(gateway, Load(cases.ONE.body, connections=number), seconds, number)


CURVES: dict[str, Callable[[Path, float], Generator[dict[str, Any]]]] = {
    "inputs_cached": inputs_cached,
    "inputs_stored": inputs_stored,
    "inputs_new": inputs_new,
    "entries": entries,
    "tenants": tenants,
    "connections": connections,
}


def main() -> int:
    """Measure the curves that are asked for; 1 if something was left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="curves by name; by default all")
    parser.add_argument("--seconds", type=float, default=3.0, help="that each point takes")
    parser.add_argument("--minutes", type=float, default=10.0, help="no point is begun after so long")
    parser.add_argument("--most", type=int, default=10**7, help="leave out points beyond, for a quick look")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(","))) or set(CURVES)
    deadline = time.monotonic() + options.minutes * 60
    growth: dict[str, Any] = results.load().get("growth", {}) | results.circumstances()
    cut = []
    for name in (name for name in CURVES if name in wanted):
        tell(f"{name}: {CURVES[name].__doc__}")
        points: Figures = []
        with (
            tempfile.TemporaryDirectory(prefix="gwg", dir="/tmp") as folder,
            closing(CURVES[name](Path(folder), options.seconds)) as curve,
        ):
            for figures in curve:
                points.append(figures)
                if time.monotonic() > deadline or figures["n"] >= options.most:
                    cut.append(name)
                    break
        growth[name] = points
        results.save("growth", growth)
    if cut and options.most == 10**7:
        tell(f"No time was left for all of {', '.join(cut)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
