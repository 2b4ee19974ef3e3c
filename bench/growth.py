"""What a request costs as things grow: inputs of a call, entries of the store, tenants, connections.

`make bench-growth`, or python bench/growth.py [--only inputs_cached,inputs_new,entries,tenants,connections]
[--seconds 3] [--minutes 10]. Cached entries are put into the store directly, in the gateway's own form, as vectors of
64 values: a million of 4 kB would measure the machine's memory. Results go to docs/performance/results.json, curve by
curve.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
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

    from performance.servers import Server

INPUTS = (1, 4, 16, 64, 256, 1_024, 2_048)
ENTRIES = (1, 100, 10_000, 100_000, 1_000_000)
TENANTS = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = (1, 10, 100, 300, 1_000)
SMALL_VALUES = 64
WARM_SECONDS = 1.0
ACQUAINTED = 1_000
"""Tenants for each second before: a tenant's first call of a worker asks the store for its lease."""

Figures = list[dict[str, Any]]


def point(server: Server, load: Load, seconds: float, number: int, warm: float = WARM_SECONDS) -> dict[str, Any]:
    """One figure of a curve."""
    drive(server, load, warm)
    run = drive(server, load, seconds)
    tell(f"  {number:,}: {run.cpu_us:,.0f} µs, {run.rate:,.0f} requests/s, {run.refused} refused, {run.broken} broken")
    figures = {"n": number, "cpu_us": run.cpu_us, "p99_ms": run.p99_ms, "rate": run.rate, "others": run.others}
    return results.rounded(figures) | {"refused": run.refused, "broken": run.broken}


def inputs_cached(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many texts, all cached."""
    yield from _inputs(folder, seconds, "")


def inputs_new(folder: Path, seconds: float) -> Generator[dict[str, Any]]:
    """Calls of so many texts, all new."""
    yield from _inputs(folder, seconds, MARK)


def _inputs(folder: Path, seconds: float, mark: str) -> Generator[dict[str, Any]]:
    with upstream(folder, 0) as behind, servers.gateway(folder, behind) as gateway:
        for number in INPUTS:
            body = cases.embeddings([f"{cases.TEXT}, number {at} {mark}".strip() for at in range(number)])
            load = Load(body, connections=max(1, min(32, 256 // number)))
            check(gateway, load, body.replace(MARK, "probe"))
            yield point(gateway, load, seconds, number)


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
